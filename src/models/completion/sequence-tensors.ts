import type { ModelConfig } from '../../config/index.js';
import {
  DATA_TYPES,
  type DataType,
  type ModelSignature,
  ServingError,
  type SignatureTensor,
} from '../../core/index.js';
import { isUntold, showType } from './config-parts.js';
import { checkDimsFit } from './dims-fit.js';

/** What clients see of a model's signature: without control inputs, states and what asks for another run, but for outputs that the config shows. */
export function shownSignature(config: ModelConfig, signature: ModelSignature): ModelSignature {
  const batching = config.sequence_batching;
  if (batching === undefined) return signature;
  const ownInputs = new Set([
    ...(batching.control_input ?? []).map(({ name }) => name),
    ...(batching.state ?? []).map(({ input_name: name }) => name),
  ]);
  const shown = new Set((config.output ?? []).map(({ name }) => name));
  const hidden = new Set((batching.state ?? []).map(({ output_name: name }) => name));
  if (batching.iterative_sequence === true) hidden.add(iterativeOutput(config));
  const clients = ({ name }: SignatureTensor) => !ownInputs.has(name);
  return {
    inputs: signature.inputs.filter(clients),
    outputs: signature.outputs.filter(({ name }) => shown.has(name) || !hidden.has(name)),
    ...(signature.overridable === undefined ? {} : { overridable: signature.overridable.filter(clients) }),
  };
}

/** The output by which a model asks to be run again. */
export function iterativeOutput(config: ModelConfig): string {
  return config.iterative_output ?? 'again';
}

/** A tensor of the model that sequences need, as the config names it. */
export interface NeededTensor {
  /** For messages: `control input`, `state input`, `state output`, `iterative output`. */
  readonly what: string;
  readonly name: string;
  readonly dataType: DataType;
  readonly dims: readonly number[];
}

/** Checks tensors that sequences need against a model that tells what it has. Throws MODEL_INVALID. */
export function checkNeeded(needed: readonly NeededTensor[], signature: ModelSignature, maxBatchSize: number): void {
  if (isUntold(signature)) return;
  for (const { what, name, dataType, dims } of needed) {
    const output = what.endsWith('output');
    const given = output ? signature.outputs : [...signature.inputs, ...(signature.overridable ?? [])];
    const tensor = given.find((candidate) => candidate.name === name);
    if (tensor === undefined) {
      const list = given.slice(0, 50).map((one) => one.name);
      throw new ServingError('MODEL_INVALID', `unexpected ${what} '${name}', the model has: ${list.join(', ')}`);
    }
    if (tensor.dataType !== dataType) {
      const { tritonName } = DATA_TYPES[dataType];
      const has = tensor.dataType === undefined ? showType(tensor) : DATA_TYPES[tensor.dataType].tritonName;
      throw new ServingError(
        'MODEL_INVALID',
        `${what} '${name}': the config expects data type ${tritonName}, the model has ${has}`,
      );
    }
    // What a model gives may vary where a file does not say: each answer is checked against the config.
    if (!output) checkDimsFit('input', tensor, dims, maxBatchSize);
  }
}
