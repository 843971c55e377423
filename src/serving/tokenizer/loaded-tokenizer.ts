import { Tokenizer } from '@huggingface/tokenizers';
import { ServingError } from '../../core/index.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { SpecialTokens } from './special-tokens.js';

/** A tokenizer.json as its thread uses it. */
export interface LoadedTokenizer {
  /** Ids of a text's tokens, without special ones of its own. */
  readonly encode: (text: string) => readonly number[];
  readonly decode: (ids: readonly number[], skipSpecial: boolean) => string;
  /** A token as the vocabulary writes it; undefined: no such id. */
  readonly token: (id: number) => string | undefined;
  readonly isSpecial: (id: number) => boolean;
  readonly special: SpecialTokens;
  /** One more than the highest id. */
  readonly vocabularySize: number;
  /** What a batch's shorter texts are filled up with. */
  readonly padId: number;
  /** `truncation.max_length`; undefined: it says none. */
  readonly maxLength: number | undefined;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
}

/** Models of Hugging Face's tokenizers that the library reads; `WordLevel` it does not. */
const MODELS = ['WordPiece', 'BPE', 'Unigram'];

/** Reads the text of a tokenizer.json. Throws MODEL_INVALID: what is wrong with it. */
export function loadTokenizer(text: string): LoadedTokenizer {
  const json = parsed(text);
  const model = json.model as Readonly<Record<string, unknown>> | undefined;
  const kind = model?.type;
  if (!MODELS.includes(kind as string))
    throw new ServingError('MODEL_INVALID', `model.type: expected ${MODELS.join(', ')}, found ${JSON.stringify(kind)}`);
  const special = new SpecialTokens(json.post_processor);
  const added = (json.added_tokens ?? []) as readonly AddedToken[];
  const ids = new Map(added.map((token) => [token.id, token]));
  const tokenizer = built(json, added);
  return {
    // A character that has no token, and no token for such either, has no id: Hugging Face leaves it out.
    encode: (one) =>
      tokenizer.encode(one, { add_special_tokens: false }).ids.filter((id: number | undefined) => id !== undefined),
    decode: (given, skipSpecial) => {
      const kept = skipSpecial ? given.filter((id) => ids.get(id)?.special !== true) : given;
      return kept.length === 0 ? '' : tokenizer.decode([...kept], { clean_up_tokenization_spaces: false });
    },
    token: (id) => tokenizer.id_to_token(id),
    isSpecial: (id) => ids.get(id)?.special === true,
    special,
    vocabularySize: vocabularySizeOf(tokenizer, added),
    padId: padIdOf(json, added),
    maxLength: lengthOf(json.truncation),
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ServingError('MODEL_INVALID', `not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ServingError('MODEL_INVALID', 'expected a JSON object');
  return json as Readonly<Record<string, unknown>>;
}

/** The library's tokenizer, without the special tokens around a text: those are `SpecialTokens`'. */
function built(json: Readonly<Record<string, unknown>>, added: readonly AddedToken[]): Tokenizer {
  const { model, normalizer = null, pre_tokenizer = null, decoder = null } = json;
  const used = { model, normalizer, pre_tokenizer, decoder, post_processor: null, added_tokens: added };
  try {
    const tokenizer = new Tokenizer(used, { clean_up_tokenization_spaces: false });
    normalizeExactly(tokenizer.normalizer as LibraryNormalizer | null);
    // What it cannot do shows with the first text.
    tokenizer.encode('A first text, 1.', { add_special_tokens: false });
    return tokenizer;
  } catch (cause) {
    if (cause instanceof ServingError) throw cause;
    throw new ServingError('MODEL_INVALID', (cause as Error).message, { cause });
  }
}

/** What of the library's normalizers is used here: a step, or several in turn. */
interface LibraryNormalizer {
  readonly config: { readonly type?: string; readonly precompiled_charsmap?: string | null };
  readonly normalizers?: readonly (LibraryNormalizer | null)[];
  normalize(text: string): string;
}

/** Puts SentencePiece's own table in the place of the library's approximation of it. */
function normalizeExactly(normalizer: LibraryNormalizer | null): void {
  for (const one of normalizer?.normalizers ?? []) normalizeExactly(one);
  const { type, precompiled_charsmap: table } = normalizer?.config ?? {};
  if (normalizer === null || type !== 'Precompiled' || typeof table !== 'string' || table === '') return;
  const exact = new PrecompiledCharsmap(table);
  normalizer.normalize = (text) => exact.normalize(text);
}

function vocabularySizeOf(tokenizer: Tokenizer, added: readonly AddedToken[]): number {
  let highest = -1;
  for (const id of tokenizer.get_vocab().values()) if (id > highest) highest = id;
  for (const { id } of added) if (id > highest) highest = id;
  return highest + 1;
}

/** Names of padding tokens where `padding` says nothing, as models have them. */
const PAD_TOKENS = ['[PAD]', '<pad>', '<|endoftext|>'];

function padIdOf(json: Readonly<Record<string, unknown>>, added: readonly AddedToken[]): number {
  const told = (json.padding as { readonly pad_id?: unknown } | null | undefined)?.pad_id;
  if (Number.isInteger(told)) return told as number;
  for (const name of PAD_TOKENS) {
    const found = added.find(({ content }) => content === name);
    if (found !== undefined) return found.id;
  }
  return 0;
}

function lengthOf(truncation: unknown): number | undefined {
  const told = (truncation as { readonly max_length?: unknown } | null | undefined)?.max_length;
  return Number.isInteger(told) && (told as number) > 0 ? (told as number) : undefined;
}
