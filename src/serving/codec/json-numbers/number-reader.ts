import { type NumberCode, numberCode } from './number-code.js';
import { BEHIND_TEXT, GREATEST, TEXT, TEXT_BYTES, VALUES, VALUES_BYTES } from './number-memory.js';

/** Which numbers a reader makes, and of how many bytes. */
export type NumberForm =
  | { readonly kind: 'float'; readonly log2Bytes: 2 | 3 }
  | { readonly kind: 'integer'; readonly log2Bytes: 0 | 1 | 2 | 3; readonly min: bigint; readonly max: bigint };

/** More than any number of JSON takes that is not meant to annoy: what stops this near the end of the window may go on behind it. */
const NEAR_END_BYTES = 1024;
/** More than most elements take, with their comma. */
const ELEMENT_BYTES = 32;

/**
 * Reads JSON numbers by WebAssembly. The text goes through a window of its memory, piece by piece; so do the values. It belongs to
 * one reading at a time, from `begin` to the last `read`: both are synchronous.
 */
class NumberReader {
  readonly #code: NumberCode = numberCode();
  readonly #memory: Uint8Array = this.#code.memory;
  readonly #greatest = new BigUint64Array(this.#memory.buffer, GREATEST, 2);
  #form: NumberForm | undefined;
  /** Where in the text the window starts, and where it ends; and what is to be added for an address in it. */
  #from = 0;
  #to = 0;
  #base = 0;
  /** Where the last `read` left the text. */
  at = 0;

  /** Numbers of this form are to be read, of another text. */
  begin(form: NumberForm): void {
    this.#from = 0;
    this.#to = 0;
    if (form === this.#form) return;
    this.#form = form;
    if (form.kind === 'float') return;
    this.#greatest[0] = form.max;
    this.#greatest[1] = -form.min;
  }

  /**
   * Reads from `at` up to `rows` whole rows of `rowLength` elements, or (`rows` 0) up to `rowLength` elements of a row; `comma`: one
   * stands before the first. Returns how many elements it read, their values then being `values`, and `this.at` behind them.
   * None: what is at `at` is for others to read. Until then `text` is as it was.
   */
  read(text: Uint8Array, at: number, rows: number, rowLength: number, comma: boolean): number {
    const { kind, log2Bytes } = this.#form as NumberForm;
    const most = VALUES_BYTES >> log2Bytes;
    if (rows === 0) rowLength = Math.min(rowLength, most);
    else rows = Math.min(rows, Math.floor(most / rowLength));
    let fresh = at < this.#from || at >= this.#to;
    if (fresh) this.#fill(text, at, Math.max(rows, 1) * rowLength);
    for (;;) {
      const read = kind === 'float' ? this.#code.readFloats : this.#code.readIntegers;
      const took = read(this.#base + at, rows, rowLength, 1 << log2Bytes, comma ? 1 : 0) >> log2Bytes;
      if (took > 0) this.at = (this.#code.left[0] as number) - this.#base;
      if (took > 0 || fresh || this.#to - at > NEAR_END_BYTES || this.#to === text.length) return took;
      this.#fill(text, at, Math.max(rows, 1) * rowLength);
      fresh = true;
    }
  }

  /** The bytes of the first `count` values that were read last: valid until the next `read`. */
  values(count: number): Uint8Array {
    return this.#memory.subarray(VALUES, VALUES + (count << (this.#form as NumberForm).log2Bytes));
  }

  /** The same, in memory of their own. */
  copyOfValues(count: number): Uint8Array {
    return this.#memory.slice(VALUES, VALUES + (count << (this.#form as NumberForm).log2Bytes));
  }

  #fill(text: Uint8Array, at: number, count: number): void {
    this.#from = at;
    this.#to = Math.min(text.length, at + Math.min(TEXT_BYTES, count * ELEMENT_BYTES + NEAR_END_BYTES));
    // V8 copies out of shared memory byte by byte where the two sides lie differently to a word.
    this.#base = TEXT + ((text.byteOffset + at) & 7) - at;
    this.#memory.set(text.subarray(at, this.#to), this.#base + at);
    // No number ends where the window does: what is behind it is neither a digit nor an end.
    this.#memory.fill(0, this.#base + this.#to, this.#base + this.#to + BEHIND_TEXT);
  }
}

let reader: NumberReader | undefined;

/** This thread's reader, made when it is first asked for. */
export function numberReader(): NumberReader {
  reader ??= new NumberReader();
  return reader;
}
