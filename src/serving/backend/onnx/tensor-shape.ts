import { ServingError, type TensorSpec } from '../../../core/index.js';

/**
 * Carries a shape from one way of writing it to the other (`reshape`): `actual` follows `from`, the answer follows `to`.
 * Free axes (-1) correspond in order, as Triton's `reshape` has it; fixed ones are `to`'s own. A leading batch axis is
 * carried over. Where both are the same, `actual` itself is returned.
 */
export function carryShape(
  actual: readonly number[],
  from: readonly number[],
  to: readonly number[],
  batched: boolean,
): readonly number[] {
  if (sameDims(from, to)) return actual;
  const first = batched ? 1 : 0;
  const free: number[] = [];
  for (let i = 0; i < from.length; i++) if (from[i] === -1) free.push(actual[first + i] as number);
  const shape: number[] = batched ? [actual[0] as number] : [];
  let next = 0;
  for (const dim of to) shape.push(dim === -1 ? (free[next++] as number) : dim);
  return shape;
}

/** Equal lengths and dimensions. */
export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** True where no axis is free. */
export function fixedDims(dims: readonly number[]): boolean {
  return dims.every((dim) => dim >= 0);
}

/** Refuses (`OUTPUT_SHAPE_MISMATCH`) an output whose shape is not what its spec says, or whose rows are not the batch's. */
export function checkOutputShape(spec: TensorSpec, actual: readonly number[], rows: number, batched: boolean): void {
  const first = batched ? 1 : 0;
  const fits =
    actual.length === spec.modelDims.length + first &&
    (!batched || actual[0] === rows) &&
    spec.modelDims.every((dim, i) => dim === -1 || dim === actual[first + i]);
  if (fits) return;
  throw outputMismatch(spec, rows, batched, `[${actual.join(',')}]`);
}

/** The error for an output of another shape than its spec says; `got` is the shape or what is known of it. */
export function outputMismatch(spec: TensorSpec, rows: number, batched: boolean, got: string): ServingError {
  const expected = batched ? [rows, ...spec.modelDims] : spec.modelDims;
  return new ServingError(
    'OUTPUT_SHAPE_MISMATCH',
    `output '${spec.name}': expected shape [${expected.join(',')}], the model returned ${got}`,
  );
}
