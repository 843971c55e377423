import { createHash } from 'node:crypto';
import { ServingError, type TokenizerFacts, type TokenizerSource, toServingError } from '../../core/index.js';
import { readContained } from './contained-path.js';
import type { ModelPlace } from './folders.js';

/** The largest that models are known to have take some 35 MB. */
const MOST_TOKENIZER_BYTES = 128 * 1024 * 1024;

/** Loads a tokenizer elsewhere than on this thread; rejects with MODEL_INVALID where it cannot be used. */
export type InspectTokenizer = (tokenizer: TokenizerSource) => Promise<TokenizerFacts>;

/** Reads a model's tokenizer and has it loaded once, so that one that cannot be used refuses the model. Throws MODEL_INVALID. */
export async function readTokenizer(
  { root, folder }: ModelPlace,
  model: string,
  file: string,
  inspect: InspectTokenizer,
): Promise<{ readonly source: TokenizerSource; readonly facts: TokenizerFacts }> {
  const shown = `tokenizer ${model}/${file}`;
  const content = await readContained(root, folder, file, shown, MOST_TOKENIZER_BYTES);
  const json = new SharedArrayBuffer(content.byteLength);
  new Uint8Array(json).set(content);
  const source = { key: createHash('sha256').update(content).digest('hex'), json };
  try {
    return { source, facts: await inspect(source) };
  } catch (thrown) {
    const { reason, message } = toServingError(thrown);
    throw new ServingError(reason, `${shown}: ${message}`, { cause: thrown });
  }
}
