import { ServingError, type SignatureTensor } from '../../core/index.js';
import { type Side, showDims } from './config-parts.js';

/**
 * Checks the dims of a config against those of the model, as Triton does (`CompareDimsSupported` in
 * onnxruntime_utils.cc): the rank must agree, batch axis included where the model batches; an input may narrow a variable
 * axis of the model; an output must be exactly what the model gives. `dims` are those the model sees (`reshape` applied).
 * Throws MODEL_INVALID.
 */
export function checkDimsFit(side: Side, tensor: SignatureTensor, dims: readonly number[], maxBatchSize: number): void {
  const model = tensor.dims;
  if (model === undefined) return;
  const batched = maxBatchSize > 0;
  if (batched && model[0] !== -1) {
    throw new ServingError(
      'MODEL_INVALID',
      `${side} '${tensor.name}': max_batch_size ${maxBatchSize} needs a first dimension of -1 in the model, but the model has the shape ${showDims(model)}`,
    );
  }
  // A scalar: Triton's configs cannot say [], they say [1].
  if (model.length === 0 && dims.every((dim) => dim === 1)) return;
  const full = batched ? [-1, ...dims] : dims;
  const fits =
    full.length === model.length &&
    full.every((dim, axis) => dim === model[axis] || (side === 'input' && model[axis] === -1));
  if (fits) return;
  throw new ServingError(
    'MODEL_INVALID',
    `${side} '${tensor.name}': the model has ${model.length} dimensions (shape ${showDims(model)}) but the config gives ${full.length} (shape ${showDims(full)}${batched ? ', the batch axis first because max_batch_size is above 0' : ''})`,
  );
}

/**
 * Checks that a `reshape` keeps the elements: the same number between each two variable axes (`ValidateIOShape` in
 * model_config_utils.cc). Throws MODEL_INVALID.
 */
export function checkReshape(side: Side, name: string, dims: readonly number[], shape: readonly number[]): void {
  const from = spans(dims);
  const to = spans(shape);
  if (from.length === to.length && from.every((count, i) => count === to[i])) return;
  throw new ServingError(
    'MODEL_INVALID',
    `${side} '${name}': reshape ${showDims(shape)} does not hold the elements of dims ${showDims(dims)}`,
  );
}

/** Products of the fixed dimensions before, between and after the variable ones. */
function spans(dims: readonly number[]): number[] {
  const products = [1];
  for (const dim of dims) {
    if (dim === -1) products.push(1);
    else products.push((products.pop() as number) * dim);
  }
  return products;
}
