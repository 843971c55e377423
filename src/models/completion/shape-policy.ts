import type { ModelConfig } from '../../config/index.js';
import {
  type BatchPolicy,
  type DataType,
  dataTypeOfTriton,
  didYouMean,
  elementOf,
  type LengthAxes,
  ServingError,
} from '../../core/index.js';
import { type Complete, type CompletedTensors, type ConfigInput, type ConfigOutput, showDims } from './config-parts.js';

/** What a config says of the shapes of executions, checked against what the model takes and gives. */
export interface ShapePolicy {
  /** Length axes by name of the input, and of the output. */
  readonly inputs: ReadonlyMap<string, LengthAxes>;
  readonly outputs: ReadonlyMap<string, LengthAxes>;
  readonly batching: Pick<BatchPolicy, 'allowedBatchSizes' | 'lengthClasses' | 'maxBatchTokens'>;
}

type Declared = NonNullable<ModelConfig['padding']>['inputs'][number] & { readonly follows?: boolean | undefined };
type AnyTensor = Complete<ConfigInput> | Complete<ConfigOutput>;

/**
 * `padding` and `allowed_batch_sizes` of a config. Throws MODEL_INVALID naming the field, what was expected and what was
 * found: axes that are fixed or not there, values that the data type has not, outputs that may or may not follow the length.
 */
export function shapePolicyOf(
  config: Pick<ModelConfig, 'padding' | 'allowed_batch_sizes'>,
  tensors: CompletedTensors,
): ShapePolicy {
  const { padding, allowed_batch_sizes: sizes } = config;
  const { maxBatchSize, inputs, outputs } = tensors;
  if (sizes !== undefined && sizes.at(-1) !== maxBatchSize)
    throw invalid(
      'allowed_batch_sizes',
      `expected max_batch_size (${maxBatchSize}) as the last size, found ${sizes.at(-1)}`,
    );
  const batching = {
    ...(sizes === undefined ? {} : { allowedBatchSizes: [...sizes] }),
    ...(padding?.classes === undefined ? {} : { lengthClasses: [...padding.classes] }),
    ...(padding?.max_batch_tokens === undefined ? {} : { maxBatchTokens: padding.max_batch_tokens }),
  };
  if (padding === undefined) return { inputs: new Map(), outputs: new Map(), batching };
  if (maxBatchSize === 0) throw invalid('padding', 'expected a model that batches, found max_batch_size 0');
  const following = padding.outputs ?? [];
  const policy = {
    inputs: lengthAxes('inputs', padding.inputs, inputs),
    outputs: lengthAxes('outputs', following, outputs),
    batching,
  };
  checkAllTold(following, outputs);
  return policy;
}

function lengthAxes(
  side: 'inputs' | 'outputs',
  declared: readonly Declared[],
  tensors: readonly AnyTensor[],
): Map<string, LengthAxes> {
  const found = new Map<string, LengthAxes>();
  declared.forEach((one, i) => {
    const field = `padding.${side}[${i}]`;
    const tensor = checkAxis(field, side, one, tensors);
    if (one.follows === false) return;
    const padValue = one.value ?? found.get(one.name)?.padValue ?? 0;
    const other = found.get(one.name);
    if (other !== undefined && other.padValue !== padValue)
      throw invalid(
        `${field}.value`,
        `expected ${other.padValue} as for the other axis of '${one.name}', found ${padValue}`,
      );
    if (side === 'inputs' && elementOf(dataTypeOfTriton(tensor.data_type) as DataType, padValue) === undefined)
      throw invalid(
        `${field}.value`,
        `expected a value of ${tensor.data_type}, the data type of '${one.name}', found ${padValue}`,
      );
    const axes = [...(other?.axes ?? []), one.axis].sort((a, b) => a - b);
    found.set(one.name, { axes, padValue });
  });
  return found;
}

function checkAxis(field: string, side: string, { name, axis }: Declared, tensors: readonly AnyTensor[]): AnyTensor {
  const names = tensors.map((tensor) => tensor.name);
  const tensor = tensors.find((candidate) => candidate.name === name);
  if (tensor === undefined)
    throw invalid(
      `${field}.name`,
      `expected one of ${names.join(', ')}, the ${side} of the model, found '${name}'${didYouMean(name, names)}`,
    );
  const shape = showDims([-1, ...tensor.dims]);
  const dim = tensor.dims[axis - 1];
  if (dim === undefined)
    throw invalid(`${field}.axis`, `expected an axis of '${name}', which has shape ${shape}, found ${axis}`);
  if (dim !== -1)
    throw invalid(
      `${field}.axis`,
      `expected an axis of any size (-1), found ${dim} at axis ${axis} of '${name}' ${shape}`,
    );
  if (tensor.data_type === 'TYPE_STRING')
    throw invalid(`${field}.name`, `expected a tensor of numbers, found strings in '${name}'`);
  if (tensor.reshape !== undefined)
    throw invalid(`${field}.name`, `expected a tensor without reshape, found one at '${name}'`);
  return tensor;
}

/** An output that followed the length without saying so would reach callers with its padding. */
function checkAllTold(declared: readonly Declared[], outputs: readonly AnyTensor[]): void {
  for (const { name, dims } of outputs) {
    dims.forEach((dim, i) => {
      const axis = i + 1;
      if (dim !== -1 || declared.some((one) => one.name === name && one.axis === axis)) return;
      const told = `{name: ${name}, axis: ${axis}}, with follows: false where its size does not depend on the length`;
      throw invalid('padding.outputs', `expected ${told}; found nothing of that axis of any size`);
    });
  }
}

function invalid(field: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `${field}: ${why}`);
}
