import { DATA_TYPES, type DataType, type TypedArray } from './data-type.js';

/**
 * One tensor, in the one form every room passes on: raw bytes as the protocol's binary form has them. `data` is
 * row-major, little-endian, without padding; BYTES elements are a uint32 length followed by that many bytes. `data` may
 * be a view at any offset (not aligned) and belongs to whoever made it; a reader copies before that owner's lease ends.
 */
export interface Tensor {
  readonly name: string;
  readonly dataType: DataType;
  /** Empty for a scalar. Never negative. */
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Product of the dimensions; 1 for a scalar, 0 for an empty tensor. Not safe above 2^53: check dimensions first. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= shape[i] as number;
  return count;
}

/** Bytes a tensor of a fixed-size data type takes; NaN for BYTES. */
export function byteSize(dataType: DataType, shape: readonly number[]): number {
  const { elementBytes } = DATA_TYPES[dataType];
  return elementBytes === 0 ? Number.NaN : elementBytes * elementCount(shape);
}

/**
 * Number of elements in serialised BYTES data, or -1 where a length prefix runs past the end.
 * Cost: linear in the elements.
 */
export function countBytesElements(data: Uint8Array): number {
  let count = 0;
  let at = 0;
  while (at < data.byteLength) {
    const next = endOfBytesElement(data, at);
    if (next < 0) return -1;
    at = next;
    count++;
  }
  return count;
}

/** Offset after the BYTES element that starts at `at`, or -1 where it runs past the end. */
export function endOfBytesElement(data: Uint8Array, at: number): number {
  if (at + 4 > data.byteLength) return -1;
  const length =
    ((data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24)) >>>
    0;
  const end = at + 4 + length;
  return end > data.byteLength ? -1 : end;
}

/** The elements of serialised BYTES data, as views of it. The data must be well formed (see `countBytesElements`). */
export function bytesElements(data: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < data.byteLength) {
    const end = endOfBytesElement(data, at);
    if (end < 0) throw new Error('malformed BYTES data');
    elements.push(data.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

/** Serialises BYTES elements: a uint32 length and the bytes, each. */
export function serialiseBytes(elements: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const element of elements) total += 4 + element.byteLength;
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    out.set(element, at + 4);
    at += 4 + element.byteLength;
  }
  return out;
}

/**
 * Typed view of a tensor's data; copies only where the data is not aligned to its element size. For BYTES, the
 * serialised bytes.
 */
export function typedView(dataType: DataType, data: Uint8Array): TypedArray {
  const { elementBytes, array } = DATA_TYPES[dataType];
  if (elementBytes <= 1) return new array(data.buffer, data.byteOffset, data.byteLength);
  // Not `slice`: that of a Buffer is a view, as unaligned as it was.
  const aligned = data.byteOffset % elementBytes === 0 ? data : new Uint8Array(data);
  return new array(aligned.buffer, aligned.byteOffset, aligned.byteLength / elementBytes);
}
