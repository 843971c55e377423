import { type ElementSink, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const SPACE = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const CLOSE_ARRAY = 0x5d;
/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** Up to here another digit keeps the mantissa below 2^53. */
const ROOM = 9e14;
/** Doubles from here round to infinity in FP32. */
const FP32_LIMIT = 2 ** 128 - 2 ** 103;
/** More than the error of a mantissa cut at 15 digits or more and scaled once (1.3e-15). */
const MARGIN = 4e-15;

/**
 * FP32, FP64: the same bits as `Number(text)` (then `Math.fround` for FP32), which is what `JSON.parse` gives, and faster
 * for the numbers clients send. Three ways, each exact:
 * - a mantissa below 2^53 and a power of ten up to 22 are both exact doubles, so that one product or quotient rounds once
 *   (Clinger, "How to read floating point numbers accurately");
 * - for FP32 a longer mantissa is cut: where both ends of the interval that holds the number round to one FP32, so does it;
 * - the rest goes through `Number`.
 * Finite text too large for the data type is refused, `NaN`, `Infinity` and `-Infinity` unless they are allowed.
 */
export class FloatSink implements ElementSink {
  readonly #request: SinkRequest;
  readonly #out: Float32Array | Float64Array;
  readonly #single: boolean;

  constructor(request: SinkRequest) {
    this.#request = request;
    this.#single = request.dataType === 'FP32';
    this.#out = this.#single ? new Float32Array(request.count) : new Float64Array(request.count);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#out.buffer);
  }

  readRow(scan: JsonScanner, from: number, count: number): number {
    const { bytes } = scan;
    const out = this.#out;
    const single = this.#single;
    const limit = single ? FP32_LIMIT : Number.POSITIVE_INFINITY;
    let at = scan.at;
    for (let i = 0; i < count; i++) {
      let byte = bytes[at] as number;
      if (i > 0) {
        if (byte === COMMA) byte = bytes[++at] as number;
        else {
          scan.at = at;
          if (!scan.element(false)) return i;
          at = scan.at;
          byte = bytes[at] as number;
        }
      }
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
      const negative = byte === MINUS;
      if (negative) byte = bytes[++at] as number;
      let mantissa = 0;
      let exponent = 0;
      let cut = false;
      let digit = byte - ZERO;
      if (!(digit >= 0 && digit <= 9)) {
        out[from + i] = this.#word(scan, from + i, start);
        at = scan.at;
        continue;
      }
      if (digit === 0) {
        digit = (bytes[++at] as number) - ZERO;
        if (digit >= 0 && digit <= 9) this.#refuse(scan, from + i, start);
      } else {
        do {
          if (mantissa < ROOM) mantissa = mantissa * 10 + digit;
          else {
            exponent++;
            if (digit !== 0) cut = true;
          }
          digit = (bytes[++at] as number) - ZERO;
        } while (digit >= 0 && digit <= 9);
      }
      if (digit === DOT - ZERO) {
        const first = ++at;
        digit = (bytes[at] as number) - ZERO;
        while (digit >= 0 && digit <= 9) {
          if (mantissa < ROOM) {
            mantissa = mantissa * 10 + digit;
            exponent--;
          } else if (digit !== 0) cut = true;
          digit = (bytes[++at] as number) - ZERO;
        }
        if (at === first) this.#refuse(scan, from + i, start);
      }
      if (digit === 0x65 - ZERO || digit === 0x45 - ZERO) {
        byte = bytes[++at] as number;
        const minus = byte === MINUS;
        if (minus || byte === 0x2b) at++;
        const first = at;
        let power = 0;
        digit = (bytes[at] as number) - ZERO;
        while (digit >= 0 && digit <= 9) {
          if (power < 100_000) power = power * 10 + digit;
          digit = (bytes[++at] as number) - ZERO;
        }
        if (at === first) this.#refuse(scan, from + i, start);
        exponent += minus ? -power : power;
      }
      let value: number;
      if (mantissa === 0) value = 0;
      else if (exponent >= -22 && exponent <= 22) {
        value = exponent < 0 ? mantissa / (POWERS[-exponent] as number) : mantissa * (POWERS[exponent] as number);
        if (cut && !(single && Math.fround(value * (1 - MARGIN)) === Math.fround(value * (1 + MARGIN)))) {
          value = Math.abs(Number(scan.text(start, at)));
        }
      } else value = Math.abs(Number(scan.text(start, at)));
      if (!(value < limit)) this.#refuse(scan, from + i, start);
      out[from + i] = negative ? -value : value;
    }
    scan.at = at;
    return count;
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
