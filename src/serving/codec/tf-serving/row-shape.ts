import { elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';

/** What has to be known of an input to shape the features of examples. */
export type ShapedSpec = Pick<TensorSpec, 'name' | 'dataType' | 'optional' | 'dims'>;

/**
 * The shape of an input made of `rows` examples of `count` elements each: features of examples are flat lists. Undefined: they do
 * not fit its dimensions. `batched`: the dimensions are without the batch axis.
 */
export function shapeOfExamples(
  { dims }: ShapedSpec,
  batched: boolean,
  rows: number,
  count: number,
): number[] | undefined {
  const row = batched ? dims : dims.slice(1);
  const fixed = elementCount(row.filter((size) => size !== -1));
  const free = row.filter((size) => size === -1).length;
  const size = fixed === 0 ? 0 : count / fixed;
  if (free > 1 || !Number.isInteger(size) || (free === 0 && size !== 1)) return undefined;
  return [rows, ...row.map((one) => (one === -1 ? size : one))];
}

/** A tensor of one value a row, for an input whose rows have one element on axes of their own: it gets those axes. Others stay. */
export function withUnitAxes(tensor: Tensor, { dims }: ShapedSpec, batched: boolean): Tensor {
  const row = batched ? dims : dims.slice(1);
  if (tensor.shape.length !== 1 || row.length === 0 || row.some((size) => size !== 1 && size !== -1)) return tensor;
  return { ...tensor, shape: [tensor.shape[0] as number, ...row.map(() => 1)] };
}
