import { dimsFit } from './member-fit.js';

/**
 * The shape in which a tensor is handed on, where one side has a batch axis and the other none (Triton's `ReshapeTensorDims`).
 * `batchRows`: rows of the request that the tensor comes from, 0 where that had no batch axis; `dims`: as the receiver declares
 * them, less its batch axis.
 */
export function handedShape(
  shape: readonly number[],
  batchRows: number,
  dims: readonly number[],
  batched: boolean,
): readonly number[] {
  if (batched === batchRows > 0) return shape;
  if (batched) return dimsFit(dims, shape) ? [1, ...shape] : shape;
  return batchRows === 1 && !dimsFit(dims, shape) ? shape.slice(1) : shape;
}
