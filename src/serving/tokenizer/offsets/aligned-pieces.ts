import type { AlignedText, Change } from './aligned-text.js';
import { type LibraryPreTokenizer, Unaligned } from './library.js';

/** A pre-tokenizer as tokenizer.json has it. */
export interface PreTokenizerConfig {
  readonly type?: string;
  readonly pretokenizers?: readonly PreTokenizerConfig[];
  /** Of `Split` and `Punctuation`: what becomes of a match. */
  readonly behavior?: string;
  /** Of `Split`: what does not match is what is looked for. */
  readonly invert?: boolean;
  readonly individual_digits?: boolean;
  /** Of `FixedLength`, in characters. */
  readonly length?: number;
  /** Of `Metaspace`; absent: true. */
  readonly split?: boolean;
}

/** The pieces that a pre-tokenizer makes of a text, with their origins. Throws `Unaligned` as `normalized` does. */
export function piecesOf(
  config: PreTokenizerConfig | null,
  library: LibraryPreTokenizer | null,
  text: AlignedText,
  section: number,
): readonly AlignedText[] {
  if (config === null || library === null) return [text];
  if (config.type === 'Sequence') {
    let pieces: readonly AlignedText[] = [text];
    for (const [i, one] of (config.pretokenizers ?? []).entries())
      pieces = pieces.flatMap((piece) => piecesOf(one, library.tokenizers?.[i] ?? null, piece, section));
    return pieces;
  }
  const wanted = library.pre_tokenize_text(text.text, { section_index: section });
  const made = ofKind(config.type, library, text, wanted);
  if (made.length !== wanted.length || made.some((piece, i) => piece.text !== wanted[i])) throw new Unaligned();
  return made;
}

function ofKind(
  type: string | undefined,
  library: LibraryPreTokenizer,
  text: AlignedText,
  wanted: readonly string[],
): readonly AlignedText[] {
  switch (type ?? '') {
    case 'BertPreTokenizer':
    case 'WhitespaceSplit':
    case 'Split':
    case 'Whitespace':
    case 'Digits':
    case 'Punctuation':
    case 'FixedLength':
      return cut(text, wanted);
    case 'Metaspace':
      return ofMetaspace(library, text, wanted);
    case 'ByteLevel':
      return ofBytes(library, text, wanted);
    default:
      throw new Unaligned();
  }
}

const SPACE = /^\p{White_Space}*$/u;

/** Parts of a text that stand in it in their order, nothing but white space between them. */
function cut(text: AlignedText, wanted: readonly string[]): AlignedText[] {
  let at = 0;
  return wanted.map((piece) => {
    const letters = Array.from(piece);
    const size = letters.length;
    let start = at;
    while (start + size <= text.length && !letters.every((letter, i) => letter === text.characters[start + i])) {
      if (!SPACE.test(text.characters[start] as string)) throw new Unaligned();
      start++;
    }
    at = start + size;
    return text.slice(start, at);
  });
}

/** A space becomes another character, and one is put before the text where the library puts one there. */
function ofMetaspace(
  { replacement = '', str_rep: put = replacement }: LibraryPreTokenizer,
  text: AlignedText,
  wanted: readonly string[],
): AlignedText[] {
  if (Array.from(put).length !== 1) throw new Unaligned();
  const spaced = text.mapped((one) => (one === ' ' ? put : one));
  return pieced(spaced.text === wanted.join('') ? spaced : spaced.prepended(put), wanted);
}

/** Each byte becomes a character, and belongs to the character that it is of. */
function ofBytes(
  { add_prefix_space: prefixes }: LibraryPreTokenizer,
  text: AlignedText,
  wanted: readonly string[],
): AlignedText[] {
  const whole = prefixes === true && !text.text.startsWith(' ') ? text.prepended(' ') : text;
  const encoder = new TextEncoder();
  const letters = Array.from(wanted.join(''));
  const changes: Change[] = [];
  for (const one of whole.characters) {
    const { byteLength } = encoder.encode(one);
    for (let i = 0; i < byteLength; i++) changes.push([letters[changes.length] ?? '', i === 0 ? 0 : 1]);
  }
  if (changes.length !== letters.length) throw new Unaligned();
  return pieced(whole.changed(changes), wanted);
}

/** A text as pieces with nothing between them. */
function pieced(text: AlignedText, wanted: readonly string[]): AlignedText[] {
  let at = 0;
  return wanted.map((piece) => {
    const start = at;
    at += Array.from(piece).length;
    return text.slice(start, at);
  });
}
