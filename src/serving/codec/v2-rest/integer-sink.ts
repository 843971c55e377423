import { DATA_TYPES } from '../../../core/index.js';
import { type ElementSink, readRow, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const MINUS = 0x2d;
const ZERO = 0x30;
/** Digits any run of which a double holds exactly. */
const EXACT_DIGITS = 15;
const TWO_32 = 2 ** 32;

/** Where the integer that starts at `start` ends, its digits checked; refuses fractions and exponents as Triton does. */
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

/** INT8 to INT32, UINT8 to UINT32: range-checked. */
export class IntegerSink implements ElementSink {
  readonly #request: SinkRequest;
  readonly #out: Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
  readonly #min: number;
  readonly #max: number;
  readonly #one = (scan: JsonScanner, index: number): void => {
    const { bytes } = scan;
    const start = scan.at;
    const end = integerEnd(scan, this.#request, index, start);
    let value = 0;
    for (let at = bytes[start] === MINUS ? start + 1 : start; at < end; at++)
      value = value * 10 + (bytes[at] as number) - ZERO;
    if (bytes[start] === MINUS) value = -value;
    // Past 15 digits `value` is rounded, and far out of range all the same.
    if (value < this.#min || value > this.#max) {
      refuseElement(scan, this.#request, index, start, `from ${this.#min} to ${this.#max}`);
    }
    this.#out[index] = value;
    scan.at = end;
  };

  constructor(request: SinkRequest) {
    const facts = DATA_TYPES[request.dataType];
    this.#request = request;
    this.#out = new facts.array(new ArrayBuffer(request.count * facts.elementBytes)) as Int32Array;
    this.#min = Number(facts.min);
    this.#max = Number(facts.max);
  }

  readRow(scan: JsonScanner, from: number, count: number): number {
    return readRow(scan, from, count, this.#one);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#out.buffer);
  }
}

/** INT64, UINT64: exact in all 64 bits; no bigint is made for integers of up to 15 digits. */
export class Integer64Sink implements ElementSink {
  readonly #request: SinkRequest;
  /** Low and high words, as little-endian memory has them. */
  readonly #words: Uint32Array;
  readonly #wide: BigInt64Array;
  readonly #signed: boolean;
  readonly #one = (scan: JsonScanner, index: number): void => {
    const { bytes } = scan;
    const start = scan.at;
    const end = integerEnd(scan, this.#request, index, start);
    const negative = bytes[start] === MINUS;
    if (end - start > EXACT_DIGITS || (negative && !this.#signed)) this.#large(scan, index, start, end);
    else {
      let value = 0;
      for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + (bytes[at] as number) - ZERO;
      if (negative) value = -value;
      // Both stores wrap modulo 2^32: two's complement.
      this.#words[2 * index] = value;
      this.#words[2 * index + 1] = Math.floor(value / TWO_32);
    }
    scan.at = end;
  };

  constructor(request: SinkRequest) {
    const buffer = new ArrayBuffer(request.count * 8);
    this.#request = request;
    this.#words = new Uint32Array(buffer);
    this.#wide = new BigInt64Array(buffer);
    this.#signed = request.dataType === 'INT64';
  }

  readRow(scan: JsonScanner, from: number, count: number): number {
    return readRow(scan, from, count, this.#one);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer);
  }

  #large(scan: JsonScanner, index: number, start: number, end: number): void {
    const { min, max } = DATA_TYPES[this.#request.dataType] as { min: bigint; max: bigint };
    // Twenty digits and a sign are the most that can be in range: longer ones never become a bigint.
    const value = end - start <= 21 ? BigInt(scan.text(start, end)) : undefined;
    if (value === undefined || value < min || value > max) {
      refuseElement(scan, this.#request, index, start, `from ${min} to ${max}`);
    }
    this.#wide[index] = BigInt.asIntN(64, value);
  }
}
