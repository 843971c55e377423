import { DATA_TYPES } from '../../../core/index.js';
import { type ElementSink, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const SPACE = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const CLOSE_ARRAY = 0x5d;
/** From here another digit would make more than nine. */
const NINE_DIGITS = 1e8;
const POWERS = Float64Array.from({ length: 10 }, (_, power) => 10 ** power);
const SIGNS = Int32Array.of(1, -1);
const TWO_32 = 2 ** 32;

/**
 * INT8 to INT64, UINT8 to UINT64: range-checked, all bits exact; `1.0` and `1e2` are refused as Triton does. Up to eighteen digits
 * are a double first, exact up to 2^53; 64-bit integers beyond are a bigint each.
 */
export class IntegerSink implements ElementSink {
  readonly #request: SinkRequest;
  readonly #out: Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
  /** Of 64-bit types `#out` is their low and high words, as little-endian memory has them; this the whole. */
  readonly #wide: BigInt64Array | undefined;
  /** What a double is checked against: what is beyond is looked at again. */
  readonly #min: number;
  readonly #max: number;

  constructor(request: SinkRequest) {
    const facts = DATA_TYPES[request.dataType];
    const buffer = new ArrayBuffer(request.count * facts.elementBytes);
    this.#request = request;
    this.#wide = facts.elementBytes === 8 ? new BigInt64Array(buffer) : undefined;
    this.#out = this.#wide === undefined ? (new facts.array(buffer) as Int32Array) : new Uint32Array(buffer);
    this.#min = Math.max(Number(facts.min), Number.MIN_SAFE_INTEGER);
    this.#max = Math.min(Number(facts.max), Number.MAX_SAFE_INTEGER);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#out.buffer);
  }

  readRun(scan: JsonScanner, from: number, begin: number, end: number): number {
    const { bytes } = scan;
    const out = this.#out;
    const wide = this.#wide !== undefined;
    const min = this.#min;
    const max = this.#max;
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
      let integer = 0;
      let digit = (bytes[at] as number) - ZERO;
      while (digit >= 0 && digit <= 9 && integer < NINE_DIGITS) {
        integer = (Math.imul(integer, 10) + digit) | 0;
        digit = (bytes[++at] as number) - ZERO;
      }
      let value = integer;
      if (digit >= 0 && digit <= 9) {
        const upper = at;
        integer = 0;
        do {
          integer = (Math.imul(integer, 10) + digit) | 0;
          digit = (bytes[++at] as number) - ZERO;
        } while (digit >= 0 && digit <= 9 && at < upper + 9);
        value = value * (POWERS[at - upper] as number) + integer;
      }
      byte = digit + ZERO;
      value *= SIGNS[negative] as number;
      const ends = byte === COMMA || byte === CLOSE_ARRAY || byte <= SPACE;
      const canonical = at - first === 1 || (at !== first && bytes[first] !== ZERO);
      if (ends && canonical && value >= min && value <= max) {
        if (wide) {
          // Both stores wrap modulo 2^32: two's complement.
          out[2 * (from + i)] = value;
          out[2 * (from + i) + 1] = Math.floor(value / TWO_32);
        } else out[from + i] = value;
      } else {
        at = this.#large(scan, from + i, start);
        byte = bytes[at] as number;
      }
    }
    scan.at = at;
    return end;
  }

  /** Takes what the row could not: mostly 64-bit integers that no double holds. Returns where it ends. */
  #large(scan: JsonScanner, index: number, start: number): number {
    const end = integerEnd(scan, this.#request, index, start);
    const { min, max } = DATA_TYPES[this.#request.dataType] as { min: bigint; max: bigint };
    // Twenty digits and a sign are the most that can be in range: longer ones never become a bigint.
    const value = end - start <= 21 ? BigInt(scan.text(start, end)) : undefined;
    if (value === undefined || value < min || value > max) {
      return refuseElement(scan, this.#request, index, start, `from ${min} to ${max}`);
    }
    if (this.#wide === undefined) this.#out[index] = Number(value);
    else this.#wide[index] = BigInt.asIntN(64, value);
    return end;
  }
}

/** Where the integer that starts at `start` ends, its digits checked. */
function integerEnd(scan: JsonScanner, request: SinkRequest, index: number, start: number): number {
  const { bytes } = scan;
  let at = start;
  if (bytes[at] === MINUS) at++;
  const first = at;
  let byte = bytes[at] as number;
  while (byte >= ZERO && byte <= 0x39) byte = bytes[++at] as number;
  const leadingZero = bytes[first] === ZERO && at > first + 1;
  if (at === first || leadingZero || byte === 0x2e || byte === 0x65 || byte === 0x45) {
    refuseElement(scan, request, index, start, 'an integer');
  }
  return at;
}
