import { ServingError, type TokenizerSource } from '../../core/index.js';
import { type LoadedTokenizer, loadTokenizer } from './loaded-tokenizer.js';

/** Tokenizers that a thread keeps: one of a large vocabulary takes some 100 MB and a second to load. */
const MOST_KEPT = 8;

/** By their content, the least recently used first. */
const kept = new Map<string, LoadedTokenizer>();

/** The tokenizer of a source, loaded once a thread. Throws MODEL_INVALID. */
export function tokenizerOf({ key, json }: TokenizerSource): LoadedTokenizer {
  const tokenizer = kept.get(key) ?? loadTokenizer(textOf(json));
  kept.delete(key);
  kept.set(key, tokenizer);
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEPT) break;
    kept.delete(oldest);
  }
  return tokenizer;
}

function textOf(json: SharedArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(json));
  } catch (cause) {
    throw new ServingError('MODEL_INVALID', 'not UTF-8', { cause });
  }
}
