import { type ElementSink, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';
import { LongDecimal } from './long-decimal.js';

const SPACE = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const CLOSE_ARRAY = 0x5d;
/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** From here another digit would make a mantissa of more than nine. */
const NINE_DIGITS = 1e8;
const SIGNS = Float64Array.of(1, -1);
/**
 * FP32, FP64: the same bits as `Number(text)` (then `Math.fround` for FP32), which is what `JSON.parse` gives. Here numbers of
 * up to nine digits: they and powers of ten up to 22 are exact doubles, so that their quotient rounds once (Clinger, "How to
 * read floating point numbers accurately"). `LongDecimal` goes on where digits are left, or an exponent.
 * Finite text too large for the data type is refused, `NaN`, `Infinity` and `-Infinity` unless they are allowed.
 */
export class FloatSink implements ElementSink {
  readonly #request: SinkRequest;
  readonly #out: Float32Array | Float64Array;
  readonly #single: boolean;
  readonly #long = new LongDecimal();

  constructor(request: SinkRequest) {
    this.#request = request;
    this.#single = request.dataType === 'FP32';
    this.#out = this.#single ? new Float32Array(request.count) : new Float64Array(request.count);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#out.buffer);
  }

  readRun(scan: JsonScanner, from: number, begin: number, end: number): number {
    const { bytes } = scan;
    const out = this.#out;
    let at = scan.at;
    let byte = bytes[at] as number;
    for (let i = begin; i < end; i++) {
      if (i > 0) {
        if (byte === COMMA) byte = bytes[++at] as number;
        else {
          scan.at = at;
          if (!scan.element(false)) return i;
          at = scan.at;
          byte = bytes[at] as number;
        }
      }
      if (byte === SPACE) byte = bytes[++at] as number;
      if (byte <= SPACE) {
        scan.at = at;
        byte = scan.peek();
        at = scan.at;
      }
      if (i === 0 && byte === CLOSE_ARRAY) {
        scan.at = at + 1;
        return 0;
      }
      const start = at;
      // No branch: signs cannot be predicted.
      const negative = ((byte ^ MINUS) - 1) >>> 31;
      const first = start + negative;
      at = first;
      let mantissa = 0;
      let digit = (bytes[at] as number) - ZERO;
      while (digit >= 0 && digit <= 9 && mantissa < NINE_DIGITS) {
        mantissa = (Math.imul(mantissa, 10) + digit) | 0;
        digit = (bytes[++at] as number) - ZERO;
      }
      const whole = at - first;
      let fraction = 0;
      let scale = 0;
      if (digit === DOT - ZERO) {
        fraction = ++at;
        digit = (bytes[at] as number) - ZERO;
        while (digit >= 0 && digit <= 9 && mantissa < NINE_DIGITS) {
          mantissa = (Math.imul(mantissa, 10) + digit) | 0;
          digit = (bytes[++at] as number) - ZERO;
        }
        scale = at - fraction;
      }
      byte = digit + ZERO;
      const ends = byte === COMMA || byte === CLOSE_ARRAY || byte <= SPACE;
      const sound = whole === 1 || (whole > 0 && bytes[first] !== ZERO);
      if (ends && sound && scale <= 22 && at !== fraction) {
        out[from + i] = (mantissa / (POWERS[scale] as number)) * (SIGNS[negative] as number);
      } else {
        if (sound) {
          at = this.#readLong(scan, from + i, first, at, mantissa, fraction);
          out[from + i] = (this.#long.value[0] as number) * (SIGNS[negative] as number);
        } else {
          out[from + i] = this.#word(scan, from + i, start);
          at = scan.at;
        }
        byte = bytes[at] as number;
      }
    }
    scan.at = at;
    return end;
  }

  /** Goes on with a number that the row has read up to `at`; returns where it ends. */
  #readLong(scan: JsonScanner, index: number, first: number, at: number, mantissa: number, fraction: number): number {
    const end = this.#long.read(scan.bytes, first, at, mantissa, fraction, this.#single);
    if (end < 0 || this.#long.value[0] === Number.POSITIVE_INFINITY) {
      this.#refuse(scan, index, scan.bytes[first - 1] === MINUS ? first - 1 : first);
    }
    return end;
  }

  #word(scan: JsonScanner, index: number, start: number): number {
    scan.at = start;
    const word = /^(?:NaN|-?Infinity)/.exec(scan.text(start, Math.min(start + 9, scan.bytes.length)))?.[0];
    if (word === undefined) return this.#refuse(scan, index, start);
    if (!this.#request.allowNan) {
      scan.fail(
        `a number (${this.#request.label}; NaN and Infinity are not JSON: send binary data, or start with --json-nan)`,
      );
    }
    scan.at += word.length;
    return Number(word);
  }

  #refuse(scan: JsonScanner, index: number, start: number): never {
    return refuseElement(scan, this.#request, index, start, 'a number in range');
  }
}
