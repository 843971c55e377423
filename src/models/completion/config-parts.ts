import type { ModelConfig } from '../../config/index.js';
import type { ModelSignature, SignatureTensor } from '../../core/index.js';

/** One `input` or `output` of a ModelConfig, as written. */
export type ConfigInput = NonNullable<ModelConfig['input']>[number];
export type ConfigOutput = NonNullable<ModelConfig['output']>[number];
export type ConfigGroup = NonNullable<ModelConfig['instance_group']>[number];
export type ConfigWarmup = NonNullable<ModelConfig['model_warmup']>[number];

/** An input or output after completion: data type and dims are known. */
export type Complete<T extends ConfigInput | ConfigOutput> = Omit<T, 'data_type' | 'dims'> & {
  readonly data_type: string;
  readonly dims: readonly number[];
};

/** A config whose inputs, outputs and batch size are known: what is served, and what a `ModelSpec` is made from. */
export interface CompletedTensors {
  readonly maxBatchSize: number;
  readonly inputs: readonly Complete<ConfigInput>[];
  readonly outputs: readonly Complete<ConfigOutput>[];
  /** The scheduler after completion: undefined = Triton's default scheduler. */
  readonly dynamicBatching: ModelConfig['dynamic_batching'];
}

/** Both sides of the model, so that one function serves inputs and outputs. */
export type Side = 'input' | 'output';

/** True where the backend could not tell what the model takes and gives (a script): then the config says it all. */
export function isUntold(signature: ModelSignature): boolean {
  return signature.inputs.length === 0 && signature.outputs.length === 0;
}

/** Dimensions as messages write them. */
export function showDims(dims: readonly number[]): string {
  return `[${dims.join(',')}]`;
}

/** What a signature's tensor is, in the words of a config. */
export function showType(tensor: SignatureTensor): string {
  return tensor.dataType ?? tensor.foreignType ?? 'unknown';
}
