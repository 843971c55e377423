import { normalized } from './aligned-normalizer.js';
import { type PreTokenizerConfig, piecesOf } from './aligned-pieces.js';
import { AlignedText } from './aligned-text.js';
import { type Charsmaps, type LibraryModel, type LibraryTokenizer, Unaligned } from './library.js';

/** A token and the characters of the text that it stands for; `start` to `stop` in code points. */
export interface AlignedToken {
  readonly id: number;
  readonly start: number;
  readonly stop: number;
}

/** Steps of a tokenizer.json as they are told here and done by the library. */
export interface Alignment {
  readonly tokenizer: LibraryTokenizer;
  readonly preTokenizer: PreTokenizerConfig | null;
  readonly tables: Charsmaps;
  /** Undefined: tokens keep the spaces at their ends. */
  readonly trim: Trim | undefined;
}

/** How spaces at the ends of tokens are left out of them (`trim_offsets`). */
export interface Trim {
  /** A space was put before the text: it is not of it. */
  readonly prefixed: boolean;
}

/** The tokens of a text with where they stand, as Hugging Face's library tells it. Throws `Unaligned` where that is not known. */
export function alignedTokens(text: string, alignment: Alignment): readonly AlignedToken[] {
  // Half a surrogate pair is no character, and counted otherwise elsewhere.
  if (/\p{Cs}/u.test(text) || MANY_MARKS.test(text)) throw new Unaligned();
  const { tokenizer, tables } = alignment;
  const found: Spelt[] = [];
  let at = 0;
  for (const [section, part] of tokenizer.splitter_unnormalized.split(text).entries()) {
    const whole = AlignedText.of(part, at);
    at += whole.length;
    if (tokenizer.added_tokens_map.has(part)) found.push(added(whole, tokenizer));
    else
      for (const one of ofSection(normalized(tokenizer.normalizer, whole, tables), section, alignment)) found.push(one);
  }
  return alignment.trim === undefined ? found : trimmed(found, alignment.trim);
}

/** To bring them into order takes Node the square of their number, and is done more than once here. */
const MANY_MARKS = /\p{M}{256}/u;

interface Spelt extends AlignedToken {
  readonly spelling: string;
}

/** Tokens of one section, those that are looked for after normalization too. */
function ofSection(text: AlignedText, section: number, alignment: Alignment): Spelt[] {
  const { tokenizer, preTokenizer } = alignment;
  const found: Spelt[] = [];
  let at = 0;
  for (const part of tokenizer.splitter_normalized.split(text.text)) {
    const size = Array.from(part).length;
    const piece = text.slice(at, at + size);
    at += size;
    if (size === 0) continue;
    if (tokenizer.added_tokens_map.has(part)) found.push(added(piece, tokenizer));
    else
      for (const one of piecesOf(preTokenizer, tokenizer.pre_tokenizer, piece, section))
        for (const token of ofPiece(one, tokenizer.model)) found.push(token);
  }
  return found;
}

/** One that takes spaces beside it along, or stands for whole words only, may stand elsewhere than it seems. */
function added(text: AlignedText, { added_tokens_map: map }: LibraryTokenizer): Spelt {
  const token = map.get(text.text);
  if (token === undefined || token.lstrip || token.rstrip || token.single_word) throw new Unaligned();
  return spelt(token.id, text.text, text, 0, text.length);
}

/** Tokens of a piece; unknown characters in a row are one where the model says so. */
function ofPiece(piece: AlignedText, model: LibraryModel): Spelt[] {
  const found: Spelt[] = [];
  let at = 0;
  let unknown = false;
  for (const { spelling, size, known } of spellings(piece, model)) {
    const id = known ? model.tokens_to_ids.get(spelling) : model.unk_token_id;
    if (at + size > piece.length) throw new Unaligned();
    const last = found.at(-1);
    const token = id === undefined ? undefined : spelt(id, spelling, piece, at, at + size);
    if (token !== undefined && !known && unknown && model.fuse_unk && last !== undefined)
      found[found.length - 1] = { ...last, stop: token.stop };
    else if (token !== undefined) found.push(token);
    at += size;
    unknown = !known;
  }
  if (at !== piece.length) throw new Unaligned();
  return found;
}

interface Spelling {
  readonly spelling: string;
  /** Characters of the piece. */
  readonly size: number;
  readonly known: boolean;
}

function spellings(piece: AlignedText, model: LibraryModel): readonly Spelling[] {
  const { type, byte_fallback: bytes } = model.config;
  const text = piece.text;
  if (type === 'WordPiece') return ofWords(piece, model);
  if (type === 'Unigram' && bytes !== true) return model.encode([text]).map((spelling) => spelled(spelling, model));
  if (type === 'BPE') return ofMerges(piece, model);
  throw new Unaligned();
}

function spelled(spelling: string, { tokens_to_ids: ids, unk_token_id: unknown }: LibraryModel): Spelling {
  const id = ids.get(spelling);
  return { spelling, size: Array.from(spelling).length, known: id !== undefined && id !== unknown };
}

function ofWords(piece: AlignedText, model: LibraryModel): readonly Spelling[] {
  const { continuing_subword_prefix: prefix } = model.config;
  const found = model.encode([piece.text]);
  const [only] = found;
  if (found.length === 1 && only === model.unk_token && only !== undefined)
    return [{ spelling: only, size: piece.length, known: false }];
  return found.map((spelling, i) => {
    const size = Array.from(spelling).length - (i === 0 ? 0 : Array.from(prefix ?? '').length);
    return { spelling, size, known: true };
  });
}

function ofMerges(piece: AlignedText, model: LibraryModel): readonly Spelling[] {
  const { config, tokens_to_ids: ids } = model;
  const { continuing_subword_prefix: prefix, end_of_word_suffix: end, continuing_subword_suffix: suffix } = config;
  if ((prefix ?? '') !== '' || (end ?? '') !== '' || (suffix ?? '') !== '' || config.byte_fallback === true)
    throw new Unaligned();
  if (model.bpe === undefined) throw new Unaligned();
  const whole = config.ignore_merges === true && ids.has(piece.text);
  return (whole ? [piece.text] : model.bpe(piece.text)).map((spelling) => spelled(spelling, model));
}

function spelt(id: number, spelling: string, text: AlignedText, start: number, end: number): Spelt {
  const first = text.starts[start];
  const last = text.ends[end - 1];
  if (first === undefined || last === undefined) throw new Unaligned();
  return { id, spelling, start: first, stop: last };
}

/** A space as byte-level tokenizers spell it, or as such. */
const LEADING = /^[\u0120\s]*/u;
const TRAILING = /[\u0120\s]*$/u;

function trimmed(tokens: readonly Spelt[], { prefixed }: Trim): AlignedToken[] {
  return tokens.map(({ id, spelling, start, stop }, i) => {
    const leading = (LEADING.exec(spelling)?.[0].length ?? 0) as number;
    const trailing = (TRAILING.exec(spelling)?.[0].length ?? 0) as number;
    // One alone was put there; of several the text has all.
    const own = leading === 1 && prefixed && (i === 0 || start === 0) ? 0 : leading;
    const from = Math.min(start + own, stop);
    return { id, start: from, stop: trailing > 0 && stop >= trailing ? Math.max(stop - trailing, from) : stop };
  });
}
