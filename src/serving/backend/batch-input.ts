import {
  type Batch,
  byteSize,
  elementCount,
  elementOf,
  endOfBytesElement,
  executedRows,
  type Tensor,
  type TensorSpec,
} from '../../core/index.js';
import { copyBytes } from './onnx/byte-copy.js';

/**
 * One input of a batch's members as the one tensor that runs: the members one after the other, each padded to the length
 * of the execution, then the dummy rows. Every byte is written once, where the model reads it.
 */
export class BatchInput {
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #axes: readonly number[];
  readonly #lastAxis: number;
  /** Pad values, as many as were needed so far. */
  #padding: Uint8Array;

  constructor(spec: TensorSpec, batched: boolean) {
    this.#spec = spec;
    this.#batched = batched;
    this.#axes = spec.lengthAxes?.axes ?? [];
    this.#lastAxis = this.#axes.at(-1) ?? 0;
    this.#padding = elementOf(spec.dataType, spec.lengthAxes?.padValue ?? 0) ?? new Uint8Array(1);
  }

  /** Its shape as clients see it, batch axis included. */
  shape(batch: Batch, index: number): readonly number[] {
    const { shape } = tensorOf(batch, 0, index);
    if (!this.#batched) return shape;
    const length = batch.padded?.length ?? 0;
    const whole = shape.slice();
    whole[0] = executedRows(batch);
    if (length > 0) for (const axis of this.#axes) whole[axis] = length;
    return whole;
  }

  /** Bytes that `write` writes. Cost: linear in the members for BYTES, else constant. */
  bytes(batch: Batch, index: number): number {
    if (this.#spec.dataType !== 'BYTES') return byteSize(this.#spec.dataType, this.shape(batch, index));
    let bytes = 0;
    for (const { inputs } of batch.members) bytes += inputs[index]?.data.byteLength ?? 0;
    const dummies = executedRows(batch) - batch.rows;
    return dummies === 0 ? bytes : bytes + dummies * firstRow(tensorOf(batch, 0, index)).byteLength;
  }

  /** Writes all of it to `target` from `start` on. Throws (our mistake) where the members are not `bytes` bytes together. */
  write(target: Uint8Array, start: number, bytes: number, batch: Batch, index: number): void {
    const length = batch.padded?.length ?? 0;
    const end = start + bytes;
    let at = start;
    for (let i = 0; i < batch.members.length; i++) {
      const tensor = tensorOf(batch, i, index);
      if (this.#isShort(tensor, length)) at = this.#pad(target, at, end, tensor, length);
      else at = this.#copy(target, at, end, tensor.data);
    }
    for (let left = executedRows(batch) - batch.rows; left > 0; left--) {
      const row =
        this.#spec.dataType === 'BYTES'
          ? firstRow(tensorOf(batch, 0, index))
          : target.subarray(start, start + bytes / executedRows(batch));
      at = this.#copy(target, at, end, row);
    }
    // A short member would let the rest of an earlier request through.
    if (at !== end) throw new Error(`input '${this.#spec.name}': ${at - start} bytes where its shapes say ${bytes}`);
  }

  #isShort(tensor: Tensor, length: number): boolean {
    return length > 0 && this.#axes.length > 0 && tensor.shape[this.#lastAxis] !== length;
  }

  #copy(target: Uint8Array, at: number, end: number, data: Uint8Array): number {
    const next = at + data.byteLength;
    if (next > end) throw new Error(`input '${this.#spec.name}': more bytes than its shapes say`);
    copyBytes(target, at, data);
    return next;
  }

  /** Copies a member whose length axes are shorter than `length`; the offset after it. */
  #pad(target: Uint8Array, start: number, end: number, { shape, data, dataType }: Tensor, length: number): number {
    const last = this.#lastAxis;
    const innerBytes = byteSize(dataType, shape.slice(last + 1));
    let from = 0;
    let to = start;
    const block = (axis: number): void => {
      const size = shape[axis] as number;
      const missing = this.#axes.includes(axis) ? length - size : 0;
      if (axis === last) {
        to = this.#copy(target, to, end, data.subarray(from, from + size * innerBytes));
        from += size * innerBytes;
        to = this.#copy(target, to, end, this.#paddingOf(missing * innerBytes));
        return;
      }
      for (let i = 0; i < size; i++) block(axis + 1);
      if (missing === 0) return;
      let below = innerBytes;
      for (let inner = axis + 1; inner <= last; inner++)
        below *= this.#axes.includes(inner) ? length : (shape[inner] as number);
      to = this.#copy(target, to, end, this.#paddingOf(missing * below));
    };
    block(0);
    return to;
  }

  #paddingOf(bytes: number): Uint8Array {
    while (this.#padding.byteLength < bytes) {
      const more = new Uint8Array(this.#padding.byteLength * 2);
      more.set(this.#padding);
      more.set(this.#padding, this.#padding.byteLength);
      this.#padding = more;
    }
    return this.#padding.subarray(0, bytes);
  }
}

function tensorOf(batch: Batch, member: number, index: number): Tensor {
  return (batch.members[member] as Batch['members'][number]).inputs[index] as Tensor;
}

/** The serialised strings of a tensor's first row. */
export function firstRow({ shape, data }: Tensor): Uint8Array {
  let at = 0;
  for (let left = elementCount(shape.slice(1)); left > 0; left--) at = endOfBytesElement(data, at);
  return data.subarray(0, at);
}
