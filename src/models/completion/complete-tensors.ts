import type { ModelConfig } from '../../config/index.js';
import { DATA_TYPES, type ModelSignature, ServingError, type SignatureTensor } from '../../core/index.js';
import {
  type Complete,
  type CompletedTensors,
  type ConfigInput,
  type ConfigOutput,
  isUntold,
  type Side,
  showType,
} from './config-parts.js';
import { checkDimsFit, checkReshape } from './dims-fit.js';

/**
 * Completes a config from what the model file says and checks what both say, as Triton does (`AutoCompleteConfig`,
 * `ValidateInputs`, `ValidateOutputs` in onnxruntime_backend `src/onnxruntime.cc`):
 * - inputs and outputs given in full: nothing is completed, `max_batch_size` is 0 where absent;
 * - else, where every input and output has -1 as its first dimension: `max_batch_size` is `defaultMaxBatchSize` and
 *   dynamic batching is on; a `max_batch_size` that the config does give stays, 0 included;
 * - else the model does not batch, and a `max_batch_size` above 0 is refused.
 * Without `autoComplete` (Triton's --disable-auto-complete-config) a config that is not whole is refused.
 * Beyond Triton: a tensor given by name only takes its data type and dims from the model; scalars are served as they are.
 * Throws MODEL_INVALID naming the tensor, what was expected and what came.
 */
export function completeTensors(
  config: ModelConfig,
  signature: ModelSignature,
  defaultMaxBatchSize: number,
  autoComplete = true,
): CompletedTensors {
  const given = { input: config.input ?? [], output: config.output ?? [] };
  if (isUntold(signature)) return declaredTensors(config, given.input, given.output);
  const takes = [...signature.inputs, ...(signature.overridable ?? [])];
  checkNames('input', given.input, takes);
  checkNames('output', given.output, signature.outputs);
  const complete = isComplete(given.input) && isComplete(given.output);
  if (!complete && !autoComplete) {
    throw new ServingError('MODEL_INVALID', 'the config must give every input and output: auto-completion is off');
  }
  const maxBatchSize = complete
    ? (config.max_batch_size ?? 0)
    : completeMaxBatchSize(config, given.output, signature, defaultMaxBatchSize);
  const dynamicBatching = config.dynamic_batching ?? (!complete && maxBatchSize > 1 ? {} : undefined);
  const inputs =
    given.input.length === 0
      ? signature.inputs.filter((tensor) => !tensor.optional).map((tensor) => ({ ...named(tensor), optional: false }))
      : given.input;
  const outputs = given.output.length === 0 ? signature.outputs.map(named) : given.output;
  return {
    maxBatchSize,
    inputs: inputs.map((input) => completeOne('input', input, takes, maxBatchSize)),
    outputs: outputs.map((output) => completeOne('output', output, signature.outputs, maxBatchSize)),
    dynamicBatching,
  };
}

const named = (tensor: SignatureTensor): { name: string } => ({ name: tensor.name });

function isComplete(tensors: readonly (ConfigInput | ConfigOutput)[]): boolean {
  return tensors.length > 0 && tensors.every((t) => t.data_type !== undefined && t.dims !== undefined);
}

/** A model that tells nothing of itself: the config must. */
function declaredTensors(
  config: ModelConfig,
  inputs: readonly ConfigInput[],
  outputs: readonly ConfigOutput[],
): CompletedTensors {
  for (const [side, tensors] of [
    ['input', inputs],
    ['output', outputs],
  ] as const) {
    if (tensors.length === 0) {
      throw new ServingError('MODEL_INVALID', `the model does not tell its ${side}s: the config must declare them`);
    }
    for (const tensor of tensors) {
      const absent = tensor.data_type === undefined ? 'data_type' : tensor.dims === undefined ? 'dims' : undefined;
      if (absent !== undefined) {
        throw new ServingError('MODEL_INVALID', `${side} '${tensor.name}': the config must give its ${absent}`);
      }
      if (tensor.reshape !== undefined) checkReshape(side, tensor.name, tensor.dims ?? [], tensor.reshape.shape);
    }
  }
  return {
    maxBatchSize: config.max_batch_size ?? 0,
    inputs: inputs as readonly Complete<ConfigInput>[],
    outputs: outputs as readonly Complete<ConfigOutput>[],
    dynamicBatching: config.dynamic_batching,
  };
}

function completeMaxBatchSize(
  config: ModelConfig,
  outputs: readonly ConfigOutput[],
  signature: ModelSignature,
  defaultMaxBatchSize: number,
): number {
  const needed = signature.inputs.filter((tensor) => !tensor.optional);
  const asked = new Set(outputs.map((output) => output.name));
  // An output that is no tensor at all (a map, a sequence) says nothing of batches where nobody asks for it.
  const given = signature.outputs.filter((t) => t.dataType !== undefined || asked.size === 0 || asked.has(t.name));
  const fixed = [...needed, ...given].find((tensor) => tensor.dims?.[0] !== -1);
  const batches = needed.length > 0 && fixed === undefined;
  if (config.max_batch_size !== undefined) {
    if (config.max_batch_size > 0 && !batches) {
      const why = fixed === undefined ? 'it has no input' : `'${fixed.name}' has no first dimension of -1`;
      throw new ServingError(
        'MODEL_INVALID',
        `max_batch_size is ${config.max_batch_size} but the model does not support batching: ${why}`,
      );
    }
    return config.max_batch_size;
  }
  return batches ? Math.max(defaultMaxBatchSize, 0) : 0;
}

function checkNames(
  side: Side,
  given: readonly (ConfigInput | ConfigOutput)[],
  tensors: readonly SignatureTensor[],
): void {
  const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name } of given) {
    if (known.has(name)) continue;
    const list = [...known.keys()].slice(0, 50).join(', ');
    throw new ServingError('MODEL_INVALID', `unexpected ${side} '${name}', the model has: ${list}`);
  }
  if (side === 'output' || given.length === 0) return;
  const names = new Set(given.map((tensor) => tensor.name));
  const left = tensors.filter((tensor) => !tensor.optional && !names.has(tensor.name)).map((t) => `'${t.name}'`);
  if (left.length === 0) return;
  const needed = tensors.filter((tensor) => !tensor.optional).length;
  throw new ServingError(
    'MODEL_INVALID',
    `the config has ${given.length} inputs, the model needs ${needed}; missing: ${left.join(', ')}`,
  );
}

function completeOne<T extends ConfigInput | ConfigOutput>(
  side: Side,
  given: T,
  tensors: readonly SignatureTensor[],
  maxBatchSize: number,
): Complete<T> {
  const tensor = tensors.find((candidate) => candidate.name === given.name) as SignatureTensor;
  if (tensor.dataType === undefined) {
    throw new ServingError(
      'MODEL_INVALID',
      `${side} '${tensor.name}' has the type ${showType(tensor)}, which the protocol cannot carry`,
    );
  }
  const data_type = DATA_TYPES[tensor.dataType].tritonName;
  if (given.data_type !== undefined && given.data_type !== data_type) {
    throw new ServingError(
      'MODEL_INVALID',
      `${side} '${tensor.name}': the config expects data type ${given.data_type}, the model has ${data_type}`,
    );
  }
  if ('optional' in given && given.optional === true && !tensor.optional) {
    throw new ServingError('MODEL_INVALID', `input '${tensor.name}' is optional in the config, but the model needs it`);
  }
  if (given.dims === undefined) return { ...given, data_type, ...modelDims(side, given, tensor, maxBatchSize) };
  if (given.reshape !== undefined) checkReshape(side, tensor.name, given.dims, given.reshape.shape);
  checkDimsFit(side, tensor, given.reshape?.shape ?? given.dims, maxBatchSize);
  return { ...given, data_type, dims: given.dims };
}

/** Dims as the model has them, less the batch axis. One value a row is [1] for clients, as Triton has it. */
function modelDims(
  side: Side,
  given: ConfigInput | ConfigOutput,
  tensor: SignatureTensor,
  maxBatchSize: number,
): { dims: number[]; reshape?: { shape: number[] } } {
  if (given.reshape !== undefined) {
    throw new ServingError('MODEL_INVALID', `${side} '${tensor.name}': a reshape needs dims beside it`);
  }
  if (tensor.dims === undefined) {
    throw new ServingError(
      'MODEL_INVALID',
      `${side} '${tensor.name}' has no shape in the model file: the config must give its dims`,
    );
  }
  if (maxBatchSize === 0) return { dims: [...tensor.dims] };
  checkDimsFit(side, tensor, tensor.dims.slice(1), maxBatchSize);
  return tensor.dims.length === 1 ? { dims: [1], reshape: { shape: [] } } : { dims: tensor.dims.slice(1) };
}
