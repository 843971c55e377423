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
import { CHARACTERS_A_TOKEN } from './texts-as-tokens.js';
import { truncated } from './truncation.js';

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
    tokens: input.withTokens ? shownTokens(tokenizer, input, encodings) : undefined,
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

/** Each token as it is told, of single texts that were not cut with where it stands. */
function shownTokens(
  tokenizer: LoadedTokenizer,
  { texts, prompt, addSpecial, maxTokens }: TokenizeInput,
  encodings: readonly Encoding[],
): TokenText[] {
  return encodings.flatMap(({ ids }, i) => {
    const text = texts[i];
    const before = addSpecial ? Math.max(tokenizer.special.before, 0) : 0;
    const count = ids.length - (addSpecial ? tokenizer.special.count(false) : 0);
    // One that is longer was cut before it was read.
    const whole = typeof text === 'string' && prompt.length + text.length <= maxTokens * CHARACTERS_A_TOKEN;
    const found = whole ? placedTokens(tokenizer, prompt + text) : undefined;
    const placed = found?.length === count ? found : undefined;
    return ids.map((id, at) => {
      const special = at < before || at >= before + count;
      return special ? tokenText(tokenizer, id, true) : (placed?.[at - before] ?? tokenText(tokenizer, id, false));
    });
  });
}

/** The tokens of a text with the bytes that they stand for, as text-embeddings-inference tells them; undefined: not known. */
function placedTokens(tokenizer: LoadedTokenizer, text: string): readonly TokenText[] | undefined {
  const aligned = tokenizer.aligned(text);
  if (aligned === undefined) return undefined;
  const characters = Array.from(text);
  const bytes = [0];
  for (const character of characters) bytes.push((bytes.at(-1) as number) + bytesOf(character));
  return aligned.map(({ start, stop }) => ({
    text: characters.slice(start, stop).join(''),
    special: false,
    start: bytes[start] as number,
    stop: bytes[stop] as number,
  }));
}

/** In UTF-8. */
function bytesOf(character: string): number {
  const code = character.codePointAt(0) as number;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
}

function tokenText(tokenizer: LoadedTokenizer, id: number, special: boolean): TokenText {
  return { text: tokenizer.token(id) ?? '', special };
}
