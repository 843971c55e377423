import type { DataType, Tensor } from '../../core/index.js';

/** Tensors that can be posted between threads: plain data, and one buffer to be transferred. */
export interface DetachedTensors {
  readonly tensors: readonly {
    readonly name: string;
    readonly dataType: DataType;
    readonly shape: readonly number[];
    /** Where its bytes lie in `buffer`. */
    readonly start: number;
    readonly bytes: number;
  }[];
  /** Every tensor's bytes, each at a multiple of 8. Put it on the transfer list. */
  readonly buffer: ArrayBuffer;
}

/** Copies the tensors into one buffer. */
export function detachTensors(tensors: readonly Tensor[]): DetachedTensors {
  let total = 0;
  for (const { data } of tensors) total += aligned(data.byteLength);
  const buffer = new ArrayBuffer(total);
  const all = new Uint8Array(buffer);
  let start = 0;
  const placed = tensors.map(({ name, dataType, shape, data }) => {
    const at = start;
    all.set(data, at);
    start += aligned(data.byteLength);
    return { name, dataType, shape, start: at, bytes: data.byteLength };
  });
  return { tensors: placed, buffer };
}

/** The same tensors, as views of the buffer. */
export function attachTensors({ tensors, buffer }: DetachedTensors): Tensor[] {
  return tensors.map(({ name, dataType, shape, start, bytes }) => ({
    name,
    dataType,
    shape,
    data: new Uint8Array(buffer, start, bytes),
  }));
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
