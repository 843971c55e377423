import { isUtf8 } from 'node:buffer';
import { ServingError } from '../../../core/index.js';
import { textOf } from '../interned-text.js';

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

/**
 * Reads the protocol buffers wire format from left to right, without copies and without objects for fields. Messages
 * inside are read by moving `at` and `end`. Every failure is a `MALFORMED_REQUEST` with the offset.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  at = 0;
  end: number;
  /** Of the tag last read. */
  field = 0;
  wire = 0;
  /** Words of the varint last read by `varint64`. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.byteLength;
  }

  fail(what: string): never {
    throw new ServingError('MALFORMED_REQUEST', `protocol buffer at byte ${this.at}: ${what}`);
  }

  /** Reads the next tag into `field` and `wire`; false at the end of the message. */
  next(): boolean {
    if (this.at === this.end) return false;
    const tag = this.varint();
    if (tag < 8 || tag >= 2 ** 32) this.fail('invalid field number');
    this.field = tag >>> 3;
    this.wire = tag & 7;
    return true;
  }

  expect(wire: number): void {
    if (this.wire !== wire) this.fail(`field ${this.field} has wire type ${this.wire}, expected ${wire}`);
  }

  /** A varint as a number; rounded above 2^53. */
  varint(): number {
    const byte = this.bytes[this.at] as number;
    if (byte < 0x80 && this.at < this.end) {
      this.at++;
      return byte;
    }
    this.varint64();
    return this.high * 2 ** 32 + this.low;
  }

  /** A varint into `low` and `high`, both unsigned. */
  varint64(): void {
    const { bytes, end } = this;
    let low = 0;
    let high = 0;
    for (let i = 0, shift = 0; i < 10; i++, shift += 7) {
      if (this.at >= end) this.fail('cut short');
      const byte = bytes[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    this.fail('a varint is longer than 10 bytes');
  }

  /** A varint as an int64: a number where that is exact, else a bigint. */
  int64(): number | bigint {
    this.varint64();
    const value = (this.high | 0) * 2 ** 32 + this.low;
    return Number.isSafeInteger(value) ? value : (BigInt(this.high | 0) << 32n) | BigInt(this.low);
  }

  uint64(): number | bigint {
    this.varint64();
    const value = this.high * 2 ** 32 + this.low;
    return Number.isSafeInteger(value) ? value : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  double(): number {
    const start = this.take(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getFloat64(0, true);
  }

  /** Where the length-delimited field that follows ends; its bytes start at `at`. */
  delimited(): number {
    this.expect(LENGTH);
    const length = this.varint();
    const end = this.at + length;
    if (end > this.end) this.fail(`a field of ${length} bytes runs past the end`);
    return end;
  }

  string(): string {
    const end = this.delimited();
    const { bytes, at } = this;
    for (let i = at; i < end; i++) {
      if ((bytes[i] as number) < 0x80) continue;
      if (!isUtf8(bytes.subarray(at, end))) this.fail('a string is not valid UTF-8');
      break;
    }
    this.at = end;
    return textOf(bytes, at, end);
  }

  /** A bytes field, as a view. */
  view(): Uint8Array {
    const end = this.delimited();
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** Skips `count` bytes; where they start. */
  take(count: number): number {
    const start = this.at;
    if (start + count > this.end) this.fail('cut short');
    this.at = start + count;
    return start;
  }

  /** Skips the field whose tag was read. */
  skip(): void {
    if (this.wire === VARINT) this.varint64();
    else if (this.wire === FIXED64) this.take(8);
    else if (this.wire === LENGTH) this.at = this.delimited();
    else if (this.wire === FIXED32) this.take(4);
    else this.fail(`unsupported wire type ${this.wire}`);
  }
}
