import { AlignedText, type Change } from './aligned-text.js';
import { type Charsmaps, type LibraryNormalizer, Unaligned } from './library.js';

/** A normalizer's text with its origins. Throws `Unaligned` where they are not known, or where it would not be the text that the library makes. */
export function normalized(normalizer: LibraryNormalizer | null, text: AlignedText, tables: Charsmaps): AlignedText {
  if (normalizer === null) return text;
  const made = step(normalizer, text, tables);
  if (made.text !== normalizer.normalize(text.text)) throw new Unaligned();
  return made;
}

function step(normalizer: LibraryNormalizer, text: AlignedText, tables: Charsmaps): AlignedText {
  const { type = '', prepend = '' } = normalizer.config;
  switch (type) {
    case 'Sequence':
      return (normalizer.normalizers ?? []).reduce((one, next) => normalized(next, one, tables), text);
    case 'BertNormalizer':
      return ofBert(normalizer, text);
    case 'Lowercase':
      return lowered(text);
    case 'StripAccents':
      return text.mapped((character) => (/^\p{M}$/u.test(character) ? undefined : character));
    case 'NFD':
    case 'NFKD':
      return text.changed(decomposed(text, type));
    case 'NFC':
      return text.changed(composed(decomposed(text, 'NFD'), text.text.normalize('NFC')));
    case 'NFKC':
      return text.changed(composed(decomposed(text, 'NFKD'), text.text.normalize('NFKC')));
    case 'Replace':
      return replaced(normalizer, text);
    case 'Strip':
      return stripped(normalizer, text);
    case 'Prepend':
      return text.prepended(prepend);
    case 'Precompiled':
      return byTable(normalizer, text, tables);
    default:
      throw new Unaligned();
  }
}

const MARKS = /^[\p{Mn}\u1734]$/u;

function ofBert(normalizer: LibraryNormalizer, text: AlignedText): AlignedText {
  const { clean_text, handle_chinese_chars, lowercase, strip_accents } = normalizer.config;
  let made = text;
  if (clean_text === true) made = made.mapped((one) => normalizer.clean_text?.(one) || undefined);
  if (handle_chinese_chars === true)
    made = made.changed(
      made.characters.flatMap((one): Change[] =>
        normalizer.tokenize_chinese_chars?.(one) === one
          ? [[one, 0]]
          : [
              [' ', 0],
              [one, 1],
              [' ', 1],
            ],
      ),
    );
  if (strip_accents ?? lowercase === true)
    made = made.changed(decomposed(made, 'NFD')).mapped((one) => (MARKS.test(one) ? undefined : one));
  return lowercase === true ? lowered(made) : made;
}

function lowered(text: AlignedText): AlignedText {
  return text.changed(
    text.characters.flatMap((one) => Array.from(one.toLowerCase(), (low, i): Change => [low, i === 0 ? 0 : 1])),
  );
}

function stripped({ config }: LibraryNormalizer, text: AlignedText): AlignedText {
  const blank = (i: number) => /^\p{White_Space}$/u.test(text.characters[i] as string);
  let start = 0;
  let end = text.length;
  if (config.strip_left === true) while (start < end && blank(start)) start++;
  if (config.strip_right === true) while (end > start && blank(end - 1)) end--;
  return text.slice(start, end);
}

/** Each character as those it is made of: the first in its place, the others beside; marks in their canonical order. */
function decomposed(text: AlignedText, form: 'NFD' | 'NFKD'): Change[] {
  const parts = text.characters.flatMap((one) =>
    Array.from(one.normalize(form), (part, i): Change => [part, i === 0 ? 0 : 1]),
  );
  return taken(parts, Array.from(text.text.normalize(form)));
}

/** The same parts in another order, equal ones in the order they had. */
function taken(parts: readonly Change[], wanted: readonly string[]): Change[] {
  if (parts.length !== wanted.length) throw new Unaligned();
  if (parts.every(([part], i) => part === wanted[i])) return [...parts];
  const left = new Parts(parts);
  return wanted.map((one) => left.take(one));
}

/** Parts put together again: a character is its first part, and takes the others with it. */
function composed(parts: readonly Change[], wanted: string): Change[] {
  const left = new Parts(parts);
  const made = Array.from(wanted, (one): Change => {
    const found = Array.from(one.normalize('NFD'), (part) => left.take(part)[1]);
    return [one, found.reduce((sum, change) => sum + change - 1, 1)];
  });
  if (left.size > 0) throw new Unaligned();
  return made;
}

/** How far apart parts that change places may stand: marks on one letter. */
const FARTHEST = 256;

/** Parts of a text not taken yet. They are taken nearly in order, so what is sought stands near the front. */
class Parts {
  readonly #parts: readonly Change[];
  readonly #gone: boolean[] = [];
  #first = 0;
  size: number;

  constructor(parts: readonly Change[]) {
    this.#parts = parts;
    this.size = parts.length;
  }

  take(character: string): Change {
    while (this.#gone[this.#first] === true) this.#first++;
    const end = Math.min(this.#parts.length, this.#first + FARTHEST);
    for (let i = this.#first; i < end; i++) {
      const part = this.#parts[i] as Change;
      if (this.#gone[i] === true || part[0] !== character) continue;
      this.#gone[i] = true;
      this.size--;
      return part;
    }
    throw new Unaligned();
  }
}

/** What is put in for a match belongs to the match's last character. */
function replaced({ pattern, config }: LibraryNormalizer, text: AlignedText): AlignedText {
  if (pattern === null || pattern === undefined) return text;
  const content = Array.from(config.content ?? '');
  const characters: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  const keep = (to: number): void => {
    for (; at < to; at++) {
      characters.push(text.characters[at] as string);
      starts.push(text.starts[at] as number);
      ends.push(text.ends[at] as number);
    }
  };
  const whole = text.text;
  const found = new CodePoints(whole);
  const matches =
    typeof pattern === 'string' ? whole.matchAll(new RegExp(escaped(pattern), 'gu')) : whole.matchAll(pattern);
  for (const { 0: match, index } of matches) {
    if (match === '') throw new Unaligned();
    keep(found.at(index));
    at = found.at(index + match.length);
    for (const one of content) {
      characters.push(one);
      starts.push(text.starts[at - 1] as number);
      ends.push(text.ends[at - 1] as number);
    }
  }
  keep(text.length);
  return new AlignedText(characters, starts, ends, text.base);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Places of a text's characters, asked for from left to right. */
class CodePoints {
  readonly #text: string;
  #units = 0;
  #points = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Of the character at the UTF-16 unit `units`. */
  at(units: number): number {
    while (this.#units < units) {
      this.#units += (this.#text.codePointAt(this.#units) as number) > 0xffff ? 2 : 1;
      this.#points++;
    }
    return this.#points;
  }
}

/** As SentencePiece's table has it: of what a key's text is longer the last characters stand beside; of what it is shorter the last takes more. */
function byTable(normalizer: LibraryNormalizer, text: AlignedText, tables: Charsmaps): AlignedText {
  const table = tables.get(normalizer);
  if (table === undefined) throw new Unaligned();
  const changes: [string, number][] = [];
  for (const [old, made] of table.parts(text.text)) {
    const characters = Array.from(made);
    const more = characters.length - Array.from(old).length;
    for (const one of characters) changes.push([one, 0]);
    if (more > 0) for (const change of changes.slice(-more)) change[1] = 1;
    const last = changes.at(-1);
    if (more < 0 && last !== undefined) last[1] += more;
  }
  return text.changed(changes);
}
