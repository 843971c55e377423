import { Tokenizer } from '@huggingface/tokenizers';
import { ServingError } from '../../core/index.js';
import { normalizeExactly } from './exact-normalizer.js';
import { splitExactly } from './exact-pieces.js';
import type { PreTokenizerConfig } from './offsets/aligned-pieces.js';
import { type AlignedToken, alignedTokens, type Trim } from './offsets/aligned-tokens.js';
import { type LibraryModel, type LibraryNormalizer, type LibraryTokenizer, Unaligned } from './offsets/library.js';
import type { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { SpecialTokens } from './special-tokens.js';

/** A tokenizer.json as its thread uses it. */
export interface LoadedTokenizer {
  /** Ids of a text's tokens, without special ones of its own. */
  readonly encode: (text: string) => readonly number[];
  /** The same with where each stands in the text; undefined: that cannot be known. */
  readonly aligned: (text: string) => readonly AlignedToken[] | undefined;
  readonly decode: (ids: readonly number[], skipSpecial: boolean) => string;
  /** A token as the vocabulary writes it; undefined: no such id. */
  readonly token: (id: number) => string | undefined;
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
  const tables = new Map<LibraryNormalizer, PrecompiledCharsmap>();
  const tokenizer = built(json, added, tables);
  // A character that has no token, and no token for such either, has no id: Hugging Face leaves it out.
  const encode = (one: string) =>
    tokenizer.encode(one, { add_special_tokens: false }).ids.filter((id: number | undefined) => id !== undefined);
  const alignment = {
    tokenizer: tokenizer as unknown as LibraryTokenizer,
    preTokenizer: (json.pre_tokenizer ?? null) as PreTokenizerConfig | null,
    tables,
    trim: trimOf(json.post_processor),
  };
  return {
    encode,
    aligned: (one) => {
      const tokens = known(() => alignedTokens(one, alignment));
      const ids = encode(one);
      const same = tokens !== undefined && tokens.length === ids.length && tokens.every(({ id }, i) => id === ids[i]);
      return same ? tokens : undefined;
    },
    decode: (given, skipSpecial) => {
      const kept = skipSpecial ? given.filter((id) => ids.get(id)?.special !== true) : given;
      return kept.length === 0 ? '' : tokenizer.decode([...kept], { clean_up_tokenization_spaces: false });
    },
    token: (id) => tokenizer.id_to_token(id),
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
function built(
  json: Readonly<Record<string, unknown>>,
  added: readonly AddedToken[],
  tables: Map<LibraryNormalizer, PrecompiledCharsmap>,
): Tokenizer {
  const { model, normalizer = null, pre_tokenizer = null, decoder = null } = json;
  const used = { model, normalizer, pre_tokenizer, decoder, post_processor: null, added_tokens: added };
  try {
    const tokenizer = new Tokenizer(used, { clean_up_tokenization_spaces: false });
    const steps = tokenizer as unknown as LibraryTokenizer;
    normalizeExactly(steps.normalizer, tables);
    splitExactly(pre_tokenizer as PreTokenizerConfig | null, steps.pre_tokenizer);
    if (steps.model.fuse_unk) fuseInPieces(steps.model);
    // What it cannot do shows with the first text.
    tokenizer.encode('A first text, 1.', { add_special_tokens: false });
    return tokenizer;
  } catch (cause) {
    if (cause instanceof ServingError) throw cause;
    throw new ServingError('MODEL_INVALID', (cause as Error).message, { cause });
  }
}

/** Unknown characters in a row are one token within a piece, not across pieces as the library has it. */
function fuseInPieces(model: LibraryModel): void {
  const whole = model._call.bind(model);
  model._call = (pieces) => pieces.flatMap((piece) => whole([piece]));
}

/** Undefined where the steps, or the text, are such that places are not known. */
function known<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (thrown) {
    if (thrown instanceof Unaligned) return undefined;
    throw thrown;
  }
}

/** Whether spaces at the ends of tokens are left out of them: what the post-processor says. */
function trimOf(postProcessor: unknown): Trim | undefined {
  const { type, processors, trim_offsets, add_prefix_space } = (postProcessor ?? {}) as {
    readonly type?: string;
    readonly processors?: readonly unknown[];
    readonly trim_offsets?: boolean;
    readonly add_prefix_space?: boolean;
  };
  if (type === 'Sequence') return processors?.map(trimOf).find((one) => one !== undefined);
  if ((type !== 'ByteLevel' && type !== 'RobertaProcessing') || trim_offsets === false) return undefined;
  return { prefixed: add_prefix_space ?? true };
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
