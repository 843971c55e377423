import { type Batch, executedRows, type ModelSpec, type Tensor } from '../../../../core/index.js';
import type { BoundTensor } from './bound-tensor.js';

/** The size that a batch of `rows` runs at: the next of the allowed ones (ascending), or its own where it exceeds them all. */
export function sizeFor(rows: number, allowed: readonly number[]): number {
  for (const size of allowed) if (size >= rows) return size;
  return rows;
}

/** Writes the members' rows to the start of the buffer, and zeros beyond the batch up to `size` rows. */
export function gatherRows({ input, host, rowBytes }: BoundTensor, batch: Batch, index: number, size: number): void {
  const bytes = rowBytes * executedRows(batch);
  input.write(host.bytes, 0, bytes, batch, index);
  if (size > executedRows(batch)) host.bytes.fill(0, bytes, rowBytes * size);
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
