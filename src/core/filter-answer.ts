import type { TensorSpec } from './model.js';
import { didYouMean } from './nearest-name.js';
import type { PlainTensor } from './tensor-of-values.js';

/**
 * Why a tensor of a filter's answer is no output of the model, or undefined. Filters give one row: its shape is that of the
 * output without the batch axis.
 */
export function foreignAnswer(tensor: PlainTensor, outputs: readonly TensorSpec[]): string | undefined {
  const output = outputs.find(({ name }) => name === tensor.name);
  if (output === undefined) {
    const names = outputs.map(({ name }) => name);
    return `the model has no output '${tensor.name}'${didYouMean(tensor.name, names)}`;
  }
  if (tensor.dataType !== output.dataType)
    return `output '${tensor.name}' is ${output.dataType}, the answer has ${tensor.dataType}`;
  const { dims } = output;
  const fits =
    tensor.shape.length === dims.length && dims.every((dim, axis) => dim === -1 || dim === tensor.shape[axis]);
  return fits
    ? undefined
    : `output '${tensor.name}' has the shape [${dims.join(',')}] less the batch axis, the answer has [${tensor.shape.join(',')}]`;
}
