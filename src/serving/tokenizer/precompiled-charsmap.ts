import { ServingError } from '../../core/index.js';

/** Characters and runs of them whose text is kept: those of a language, and some more. */
const MOST_KEPT = 16_384;
const LONGEST_KEPT = 16;
/** Longer ones are taken character by character (SentencePiece's rule as Hugging Face has it, in bytes). */
const LONGEST_GRAPHEME_BYTES = 6;

/** Characters beside which a grapheme may have more than one; a line end of two is the other case. */
const JOINING = /[\p{M}\p{Cf}\p{RI}\p{Emoji_Modifier}\u0d4e\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]/u;
/** Code points whose kind is remembered; the few above are asked each time. */
const REMEMBERED = 0x2_0000;

const LEAF_BITS = 0x7fff_ffff;
const LABEL_BITS = 0x8000_00ff;

/**
 * SentencePiece's own normalisation, which its models carry as a table (`precompiled_charsmap`): a double-array trie of UTF-8 bytes to
 * places in a list of texts. The library approximates it by NFKC; tokens then differ for joiners, odd spaces and characters that
 * NFKC of this Node knows and the table does not. Throws MODEL_INVALID where the table is none.
 */
export class PrecompiledCharsmap {
  readonly #trie: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #known = new Map<string, string>();
  /** By code point: 1 = stands for itself, 2 = joins, 0 = not asked yet. */
  readonly #kinds = new Uint8Array(REMEMBERED);
  readonly #graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  /** `table`: in base64, the trie's size in bytes (uint32), the trie (uint32 a node), the texts, each ended by a zero. */
  constructor(table: string) {
    const binary = atob(table);
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const trieBytes = bytes.byteLength < 4 ? -1 : new DataView(bytes.buffer).getUint32(0, true);
    if (trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.byteLength)
      throw new ServingError('MODEL_INVALID', 'precompiled_charsmap: expected a trie and its texts');
    this.#trie = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
    this.#texts = bytes.subarray(4 + trieBytes);
  }

  normalize(text: string): string {
    let normalized = '';
    for (let at = 0; at < text.length; ) {
      const end = this.#boundaryAfter(text, at);
      const part = text.slice(at, end);
      const single = end - at === 1 || (end - at === 2 && (text.codePointAt(at) as number) > 0xffff);
      normalized += this.#kept(part, single ? (one) => this.#find(one) : (run) => this.#segmented(run));
      at = end;
    }
    return normalized;
  }

  /** The same as its parts: what a key of the table, or a character, was made into. */
  *parts(text: string): Generator<readonly [part: string, made: string]> {
    for (let at = 0; at < text.length; ) {
      const end = this.#boundaryAfter(text, at);
      for (const { segment } of this.#graphemes.segment(text.slice(at, end))) yield* this.#partsOf(segment);
      at = end;
    }
  }

  /**
   * The next place from `at` on where a grapheme surely ends: between two characters that do not join. To find all the others takes
   * five hundred times as long as to look one up.
   */
  #boundaryAfter(text: string, at: number): number {
    let one = text.codePointAt(at) as number;
    let end = at;
    for (;;) {
      end += one > 0xffff ? 2 : 1;
      if (end >= text.length) return text.length;
      const next = text.codePointAt(end) as number;
      if (!(this.#joins(one) || this.#joins(next) || (one === 0x0d && next === 0x0a))) return end;
      one = next;
    }
  }

  #joins(character: number): boolean {
    const kinds = this.#kinds;
    const known = kinds[character];
    if (known !== undefined && known !== 0) return known === 2;
    const joins = JOINING.test(String.fromCodePoint(character));
    if (character < REMEMBERED) kinds[character] = joins ? 2 : 1;
    return joins;
  }

  #segmented(run: string): string {
    let normalized = '';
    for (const { segment } of this.#graphemes.segment(run)) normalized += this.#find(segment);
    return normalized;
  }

  #kept(text: string, make: (text: string) => string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const made = make(text);
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    if (text.length <= LONGEST_KEPT) this.#known.set(text, made);
    return made;
  }

  #find(grapheme: string): string {
    const bytes = this.#encoder.encode(grapheme);
    const whole = bytes.byteLength < LONGEST_GRAPHEME_BYTES ? this.#lookUp(bytes) : undefined;
    if (whole !== undefined) return whole;
    let text = '';
    for (const character of grapheme) text += this.#lookUp(this.#encoder.encode(character)) ?? character;
    return text;
  }

  *#partsOf(grapheme: string): Generator<readonly [string, string]> {
    const bytes = this.#encoder.encode(grapheme);
    const whole = bytes.byteLength < LONGEST_GRAPHEME_BYTES ? this.#lookUp(bytes) : undefined;
    if (whole !== undefined) yield [grapheme, whole];
    else
      for (const character of grapheme) yield [character, this.#lookUp(this.#encoder.encode(character)) ?? character];
  }

  /** The text of the shortest key that `bytes` begins with; undefined: none does. */
  #lookUp(bytes: Uint8Array): string | undefined {
    const trie = this.#trie;
    let at = childrenOf(trie[0] as number);
    for (const byte of bytes) {
      if (byte === 0) return undefined;
      at ^= byte;
      const node = trie[at];
      if (node === undefined || (node & LABEL_BITS) >>> 0 !== byte) return undefined;
      at ^= childrenOf(node);
      if (((node >>> 8) & 1) === 1) return this.#textAt((trie[at] as number) & LEAF_BITS);
    }
    return undefined;
  }

  #textAt(start: number): string {
    const end = this.#texts.indexOf(0, start);
    return this.#decoder.decode(this.#texts.subarray(start, end < 0 ? undefined : end));
  }
}

/** What a node's place is changed by to come to its children. */
function childrenOf(node: number): number {
  return (node >>> 10) << ((node & 0x200) >>> 6);
}
