import {
  type OffloadTasks,
  ServingError,
  type TextInput,
  type TokenizedTexts,
  type TokenizeInput,
  type TokenizerFacts,
  type TokenText,
} from '../../core/index.js';
import { tokenizerOf } from './kept-tokenizers.js';
import type { LoadedTokenizer } from './loaded-tokenizer.js';
import { bareEncoding, type Encoding } from './special-tokens.js';
import { truncated } from './truncation.js';

/** Characters a token stands for at most before a text counts as too long without being read (text-embeddings-inference's). */
const CHARACTERS_A_TOKEN = 250;

/** Texts as token ids, on a pool thread. See `OffloadTasks.tokenize`. */
export function tokenize(input: TokenizeInput): TokenizedTexts {
  const tokenizer = tokenizerOf(input.tokenizer);
  const encodings = input.texts.map((text, i) => encodingOf(tokenizer, text, input, input.firstIndex + i));
  const total = encodings.reduce((sum, { ids }) => sum + ids.length, 0);
  const ids = new Int32Array(total);
  const types = new Int32Array(total);
  const ends: number[] = [];
  let end = 0;
  for (const encoding of encodings) {
    ids.set(encoding.ids, end);
    types.set(encoding.types, end);
    end += encoding.ids.length;
    ends.push(end);
  }
  return {
    ids,
    types: types.some((type) => type !== 0) ? types : undefined,
    ends,
    tokens: input.withTokens ? Array.from(ids, (id) => tokenText(tokenizer, id)) : undefined,
  };
}

/** Token ids as texts, on a pool thread. See `OffloadTasks.detokenize`. */
export function detokenize({ tokenizer, texts, skipSpecial }: OffloadTasks['detokenize']['input']): readonly string[] {
  const loaded = tokenizerOf(tokenizer);
  return texts.map((ids, i) => {
    checkIds(ids, loaded, i);
    return loaded.decode([...ids], skipSpecial);
  });
}

/** What a tokenizer is, found by loading it. See `OffloadTasks.inspectTokenizer`. */
export function inspectTokenizer({ tokenizer }: OffloadTasks['inspectTokenizer']['input']): TokenizerFacts {
  const { vocabularySize, padId, maxLength, special } = tokenizerOf(tokenizer);
  return {
    vocabularySize,
    padId,
    maxLength,
    specialTokens: special.count(false),
    specialTokensOfPair: special.count(true),
  };
}

function encodingOf(tokenizer: LoadedTokenizer, text: TextInput, input: TokenizeInput, index: number): Encoding {
  const { maxTokens, truncate, direction, addSpecial, prompt } = input;
  const [first, second] = textsOf(tokenizer, text, prompt, index, maxTokens, truncate, direction);
  // Tokens that are given have their special ones already.
  const special = addSpecial && (typeof text === 'string' || Array.isArray(text)) ? tokenizer.special : undefined;
  const added = special?.count(second !== undefined) ?? 0;
  const tokens = first.length + (second?.length ?? 0) + added;
  if (tokens > maxTokens && !truncate)
    throw new ServingError('SHAPE_MISMATCH', `text ${index}: expected at most ${maxTokens} tokens, found ${tokens}`);
  const [a, b] = truncated(first, second, maxTokens - added, direction);
  return special === undefined ? bareEncoding(a, b) : special.around(a, b);
}

type Tokens = readonly [readonly number[], readonly number[] | undefined];

function textsOf(
  tokenizer: LoadedTokenizer,
  text: TextInput,
  prompt: string,
  index: number,
  maxTokens: number,
  truncate: boolean,
  direction: TokenizeInput['direction'],
): Tokens {
  const read = (one: string) => tokenizer.encode(boundedText(one, index, maxTokens, truncate, direction));
  if (typeof text === 'string') return [read(prompt + text), undefined];
  if (isPair(text)) return [read(text[0]), read(text[1])];
  checkIds(text.ids, tokenizer, index);
  return [[...text.ids], undefined];
}

function isPair(text: TextInput): text is readonly [string, string] {
  return Array.isArray(text);
}

/** A text no longer than can matter, so that no text holds a thread for long. */
function boundedText(
  text: string,
  index: number,
  maxTokens: number,
  truncate: boolean,
  direction: TokenizeInput['direction'],
): string {
  const most = maxTokens * CHARACTERS_A_TOKEN;
  if (text.length <= most) return text;
  if (!truncate)
    throw new ServingError(
      'SHAPE_MISMATCH',
      `text ${index}: expected at most ${maxTokens} tokens, found ${text.length} characters`,
    );
  return direction === 'left' ? text.slice(text.length - most) : text.slice(0, most);
}

function checkIds(ids: Int32Array, { vocabularySize }: LoadedTokenizer, index: number): void {
  for (const id of ids) {
    if (id < 0 || id >= vocabularySize)
      throw new ServingError(
        'MALFORMED_REQUEST',
        `text ${index}: expected ids of tokens below ${vocabularySize}, found ${id}`,
      );
  }
}

function tokenText(tokenizer: LoadedTokenizer, id: number): TokenText {
  return { text: tokenizer.token(id) ?? '', special: tokenizer.isSpecial(id) };
}
