import { ServingError } from '../../core/index.js';
import type { PreTokenizerConfig } from './offsets/aligned-pieces.js';
import type { LibraryPreTokenizer } from './offsets/library.js';

/** A part of a text, and whether it is what was looked for. */
type Part = readonly [text: string, found: boolean];
type Pieces = (text: string) => readonly string[];

/** `\w` and `\s` as Rust has them. JavaScript's `\w` is of ASCII, and its `\s` has U+FEFF and lacks U+0085. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const SPACES = /\p{White_Space}+/gu;
const WORDS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, 'gu');
const NUMERIC = /\p{N}/gu;
const BYTE_LEVEL =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
/** Hugging Face's table of punctuation is of Unicode 8: without those that came later, and with two that were it then. */
const LATER =
  '\\u061d\\u09fd\\u0a76\\u0c77\\u0c84\\u1b4e-\\u1b4f\\u1b7d-\\u1b7f\\u2e43-\\u2e4f\\u2e52-\\u2e5d\\u{10d6e}' +
  '\\u{10ead}\\u{10ed0}\\u{10f55}-\\u{10f59}\\u{10f86}-\\u{10f89}\\u{113d4}-\\u{113d5}\\u{113d7}-\\u{113d8}' +
  '\\u{1144b}-\\u{1144f}\\u{1145a}-\\u{1145b}\\u{1145d}\\u{11660}-\\u{1166c}\\u{116b9}\\u{1183b}' +
  '\\u{11944}-\\u{11946}\\u{119e2}\\u{11a3f}-\\u{11a46}\\u{11a9a}-\\u{11a9c}\\u{11a9e}-\\u{11aa2}' +
  '\\u{11b00}-\\u{11b09}\\u{11be1}\\u{11c41}-\\u{11c45}\\u{11c70}-\\u{11c71}\\u{11ef7}-\\u{11ef8}' +
  '\\u{11f43}-\\u{11f4f}\\u{11fff}\\u{12ff1}-\\u{12ff2}\\u{16d6d}-\\u{16d6f}\\u{16e97}-\\u{16e9a}\\u{16fe2}' +
  '\\u{1e5ff}\\u{1e95e}-\\u{1e95f}';
const PUNCTUATION = new RegExp(`(?![${LATER}])[\\p{P}!-\\/:-@\\[-\`{-~\\u166d\\u{111c9}]`, 'gu');

/**
 * Puts Hugging Face's own rules in the place of the library's, which go by ASCII or by JavaScript's white space, know few of the ways to
 * split, and count UTF-16 units for characters. Throws MODEL_INVALID: a way to split, or a pattern, that there is not.
 */
export function splitExactly(config: PreTokenizerConfig | null, library: LibraryPreTokenizer | null): void {
  if (config === null || library === null) return;
  for (const [i, one] of (config.pretokenizers ?? []).entries()) splitExactly(one, library.tokenizers?.[i] ?? null);
  if (config.type === 'ByteLevel') library.pattern = BYTE_LEVEL;
  if (config.type === 'Metaspace') spaceExactly(config, library);
  const exact = exactPieces(config, library.pattern);
  if (exact !== undefined) library.pre_tokenize_text = exact;
}

function exactPieces(config: PreTokenizerConfig, pattern: unknown): Pieces | undefined {
  const { behavior = 'Isolated', individual_digits: single, length = 0, invert = false } = config;
  switch (config.type ?? '') {
    case 'Whitespace':
      return (text) => text.match(WORDS) ?? [];
    case 'WhitespaceSplit':
      return (text) => joined(partsOf(text, SPACES), 'Removed');
    case 'BertPreTokenizer':
      return (text) =>
        joined(partsOf(text, SPACES), 'Removed').flatMap((word) => joined(partsOf(word, PUNCTUATION), 'Isolated'));
    case 'Digits':
      return (text) => joined(partsOf(text, NUMERIC), single === true ? 'Isolated' : 'Contiguous');
    case 'Punctuation':
      joined([], behavior);
      return (text) => joined(partsOf(text, PUNCTUATION), behavior);
    case 'Split':
      if (!(pattern instanceof RegExp)) throw new ServingError('MODEL_INVALID', 'Split: expected a pattern');
      joined([], behavior);
      return (text) =>
        joined(
          partsOf(text, pattern).map(([part, found]): Part => [part, found !== invert]),
          behavior,
        );
    case 'FixedLength':
      return (text) => ofLength(Array.from(text), length);
    default:
      return undefined;
  }
}

/** The library's Metaspace, cut before each of its characters where the config does not say otherwise. */
function spaceExactly({ split = true }: PreTokenizerConfig, library: LibraryPreTokenizer): void {
  const whole = library.pre_tokenize_text.bind(library);
  const { replacement = '' } = library;
  if (!split || replacement === '') return;
  const mark = new RegExp(replacement.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu');
  library.pre_tokenize_text = (text, options) =>
    whole(text, options).flatMap((one) => joined(partsOf(one, mark), 'MergedWithNext'));
}

/** The whole text in its order, each match a part of its own. */
function partsOf(text: string, pattern: RegExp): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (at < index) parts.push([text.slice(at, index), false]);
    if (match !== '') parts.push([match, true]);
    at = index + match.length;
  }
  if (at < text.length) parts.push([text.slice(at), false]);
  return parts;
}

/** Pieces of parts, by the names that tokenizer.json has for what becomes of a match. */
function joined(parts: readonly Part[], behavior: string): string[] {
  switch (behavior) {
    case 'Removed':
      return parts.filter(([, found]) => !found).map(([text]) => text);
    case 'Isolated':
      return parts.map(([text]) => text);
    case 'Contiguous':
      return merged(parts, (one, before) => one === before);
    case 'MergedWithPrevious':
      return merged(parts, (one, before) => one && !before);
    case 'MergedWithNext':
      // As it is in Hugging Face's own: the same from the end on.
      return merged(parts, (one, before) => before && !one);
    default:
      throw new ServingError('MODEL_INVALID', `behavior: ${JSON.stringify(behavior)} is none of a pre-tokenizer`);
  }
}

function merged(parts: readonly Part[], joins: (found: boolean, before: boolean) => boolean): string[] {
  const pieces: string[] = [];
  let before: boolean | undefined;
  for (const [text, found] of parts) {
    if (before !== undefined && joins(found, before)) pieces[pieces.length - 1] += text;
    else pieces.push(text);
    before = found;
  }
  return pieces;
}

function ofLength(characters: readonly string[], length: number): string[] {
  if (length < 1) return [characters.join('')];
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += length) pieces.push(characters.slice(at, at + length).join(''));
  return pieces;
}
