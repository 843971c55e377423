import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { decoded, textOf } from '../interned-text.js';

/** Deepest nesting of values that nothing reads; Triton's own bound. */
const MAX_DEPTH = 100;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Reads JSON (RFC 8259) from left to right over bytes, building nothing but what is asked for. `JSON.parse` of Node 20
 * cannot give integers beyond 2^53 exactly, keeps the last of two equal keys, and makes an object per number.
 * `bytes` must hold exactly the JSON text, already known to be UTF-8. Every failure is a `MALFORMED_REQUEST` with the offset.
 */
export class JsonScanner {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  fail(expected: string): never {
    const byte = this.bytes[this.at];
    const came = byte === undefined ? 'the end' : shown(this.text(this.at, Math.min(this.at + 12, this.bytes.length)));
    throw new ServingError('MALFORMED_REQUEST', `JSON at byte ${this.at}: expected ${expected}, came ${came}`);
  }

  /** Skips white space; the byte that follows it, NaN at the end. */
  peek(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at] as number;
    while (byte <= SPACE && (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09))
      byte = bytes[++at] as number;
    this.at = at;
    return byte;
  }

  /** After the whole value: only white space may follow. */
  finish(): void {
    this.peek();
    if (this.at < this.bytes.length) this.fail('nothing more');
  }

  openObject(what: string): void {
    if (this.peek() !== OPEN_OBJECT) this.fail(`an object (${what})`);
    this.at++;
  }

  /** The next key of the object the scanner stands in, its colon taken, or undefined at its end. */
  key(first: boolean): string | undefined {
    const byte = this.peek();
    if (byte === CLOSE_OBJECT) {
      this.at++;
      return undefined;
    }
    if (!first) {
      if (byte !== COMMA) this.fail('"," or "}"');
      this.at++;
    }
    const key = this.string('a key');
    if (this.peek() !== COLON) this.fail('":"');
    this.at++;
    return key;
  }

  openArray(what: string): void {
    if (this.peek() !== OPEN_ARRAY) this.fail(`an array (${what})`);
    this.at++;
  }

  /** True where the array the scanner stands in has another element, its comma taken. */
  element(first: boolean): boolean {
    const byte = this.peek();
    if (byte === CLOSE_ARRAY) {
      this.at++;
      return false;
    }
    if (first) return true;
    if (byte !== COMMA) this.fail('"," or "]"');
    this.at++;
    return true;
  }

  /** Takes `null` where it stands next. */
  tookNull(): boolean {
    return this.peek() === 0x6e && this.#literal('null');
  }

  boolean(what: string): boolean {
    const byte = this.peek();
    if (byte === 0x74 && this.#literal('true')) return true;
    if (byte === 0x66 && this.#literal('false')) return false;
    return this.fail(`true or false (${what})`);
  }

  string(what: string): string {
    if (this.peek() !== QUOTE) this.fail(`a string (${what})`);
    const start = this.at + 1;
    const escaped = this.skipString();
    const end = this.at - 1;
    if (escaped) return this.unescaped(start, end);
    return textOf(this.bytes, start, end);
  }

  /** Skips the string that opens here; true where it has escapes (checked only by `unescaped`). */
  skipString(): boolean {
    const { bytes } = this;
    let at = this.at + 1;
    let escaped = false;
    for (;;) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        escaped = true;
        at += 2;
      } else if (byte >= SPACE) at++;
      else {
        this.at = Math.min(at, bytes.length);
        this.fail('no control character and an end of the string');
      }
    }
    this.at = at + 1;
    return escaped;
  }

  /** The string between two quotes, its escapes resolved; refuses broken escapes and lone surrogates. */
  unescaped(start: number, end: number): string {
    let text: string;
    try {
      text = JSON.parse(`"${this.text(start, end)}"`) as string;
    } catch {
      this.at = start;
      return this.fail('valid escapes in a string');
    }
    if (/\p{Surrogate}/u.test(text)) {
      this.at = start;
      this.fail('no lone surrogate in a string');
    }
    return text;
  }

  /** A number; exact: an integer beyond 2^53 is a bigint. Refuses what no double can hold. */
  number(what: string): number | bigint {
    this.peek();
    const short = this.#shortInteger();
    if (short !== undefined) return short;
    const start = this.at;
    const integer = this.skipNumber(what);
    const text = this.text(start, this.at);
    const value = Number(text);
    if (integer && !Number.isSafeInteger(value) && text.length <= 21) return BigInt(text);
    if (!Number.isFinite(value)) {
      this.at = start;
      this.fail(`a number a double can hold (${what})`);
    }
    return value;
  }

  /** Sizes and counts, without a text made for them: digits alone, up to 15 of them; undefined (and nothing taken) for the rest. */
  #shortInteger(): number | undefined {
    const { bytes, at: start } = this;
    let at = start;
    let value = 0;
    let byte = bytes[at] as number;
    for (; byte >= 0x30 && byte <= 0x39; byte = bytes[++at] as number) value = value * 10 + (byte - 0x30);
    const digits = at - start;
    if (digits === 0 || digits > 15 || (digits > 1 && bytes[start] === 0x30)) return undefined;
    if (byte === DOT || byte === 0x65 || byte === 0x45) return undefined;
    this.at = at;
    return value;
  }

  /** Skips a number by JSON's grammar; true where it has neither fraction nor exponent. */
  skipNumber(what: string): boolean {
    if (this.bytes[this.at] === MINUS) this.at++;
    if (this.bytes[this.at] === 0x30) this.at++;
    else this.#digits(what);
    let integer = true;
    if (this.bytes[this.at] === DOT) {
      integer = false;
      this.at++;
      this.#digits(what);
    }
    const byte = this.bytes[this.at];
    if (byte === 0x65 || byte === 0x45) {
      integer = false;
      const sign = this.bytes[++this.at];
      if (sign === MINUS || sign === 0x2b) this.at++;
      this.#digits(what);
    }
    return integer;
  }

  /** Skips any value. */
  skip(depth = 0): void {
    const byte = this.peek();
    if (byte === QUOTE) {
      const start = this.at + 1;
      if (this.skipString()) this.unescaped(start, this.at - 1);
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels of nesting`);
      this.at++;
      if (byte === OPEN_ARRAY) for (let first = true; this.element(first); first = false) this.skip(depth + 1);
      else for (let first = true; this.key(first) !== undefined; first = false) this.skip(depth + 1);
    } else if (byte === 0x74 || byte === 0x66) this.boolean('a value');
    else if (byte === 0x6e) {
      if (!this.tookNull()) this.fail('a value');
    } else this.skipNumber('a value');
  }

  /** Bytes as text. */
  text(start: number, end: number): string {
    return decoded(this.bytes, start, end);
  }

  #digits(what: string): void {
    const start = this.at;
    let byte = this.bytes[this.at] as number;
    while (byte >= 0x30 && byte <= 0x39) byte = this.bytes[++this.at] as number;
    if (this.at === start) this.fail(`a number (${what})`);
  }

  #literal(word: string): boolean {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word.charCodeAt(i)) return false;
    this.at += word.length;
    return true;
  }
}
