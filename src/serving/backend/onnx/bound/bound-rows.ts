import type { Batch, ModelSpec, Tensor } from '../../../../core/index.js';
import type { BoundTensor } from './bound-tensor.js';

/** The size that a batch of `rows` runs at: the next of the allowed ones (ascending), or its own where it exceeds them all. */
export function sizeFor(rows: number, allowed: readonly number[]): number {
  for (const size of allowed) if (size >= rows) return size;
  return rows;
}

/** Copies the members' rows to the start of the buffer, and zeros where rows are padded: no other request's bytes. */
export function gatherRows({ spec, host, rowBytes }: BoundTensor, batch: Batch, index: number, size: number): void {
  let at = 0;
  for (const member of batch.members) {
    const { data } = member.inputs[index] as Tensor;
    if (at + data.byteLength > rowBytes * batch.rows) {
      throw new Error(`input '${spec.name}': more bytes than its shapes say`);
    }
    host.bytes.set(data, at);
    at += data.byteLength;
  }
  if (at !== rowBytes * batch.rows) throw new Error(`input '${spec.name}': ${at} bytes, its shapes say otherwise`);
  if (size > batch.rows) host.bytes.fill(0, at, rowBytes * size);
}

/** The first `rows` rows of an output as a tensor of the model, a view of its buffer; padding is left out. */
export function viewRows({ spec, host, rowBytes }: BoundTensor, rows: number, { maxBatchSize }: ModelSpec): Tensor {
  const { name, dataType, dims } = spec;
  return {
    name,
    dataType,
    shape: maxBatchSize > 0 ? [rows, ...dims] : dims,
    data: host.bytes.subarray(0, rowBytes * rows),
  };
}
