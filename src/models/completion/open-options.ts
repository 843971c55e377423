import type { ModelConfig } from '../../config/index.js';
import { type OpenRequest, type ProviderPolicy, ServingError } from '../../core/index.js';

/** What of a config goes to the backend with `open`, beside files and instances. */
export type OpenOptions = Pick<OpenRequest, 'parameters' | 'graphLevel' | 'maxExecutionMs' | 'provider'> & {
  /** Undefined: the config leaves it to the server. */
  readonly engine: 'native' | 'node' | undefined;
};

export interface OpenDefaults {
  readonly provider: ProviderPolicy;
  readonly maxExecutionMs: number;
}

/** Picks engine, provider policy, graph level and parameters out of a config. Throws MODEL_INVALID, UNSUPPORTED. */
export function openOptionsOf(config: ModelConfig, defaults: OpenDefaults): OpenOptions {
  const parameters: Record<string, string> = {};
  const own: Record<string, string> = {};
  const cuda: Record<string, string> = {};
  for (const [key, { string_value }] of Object.entries(config.parameters ?? {})) {
    const option = CUDA_PARAMETERS[key];
    if (OWN_PARAMETERS.has(key)) own[key] = string_value;
    else if (option !== undefined) cuda[key] = option(key, string_value);
    else parameters[key] = string_value;
  }
  return {
    engine: config.engine ?? engineOf(own.engine),
    maxExecutionMs: config.max_execution_ms ?? milliseconds(own.max_execution_ms) ?? defaults.maxExecutionMs,
    graphLevel: graphLevelOf(config),
    provider: {
      onGpuError: config.provider?.on_gpu_error ?? defaults.provider.onGpuError,
      strict: config.provider?.strict ?? defaults.provider.strict,
      options: { ...defaults.provider.options, ...cuda, ...config.provider?.options },
    },
    parameters,
  };
}

/** Parameters of ours, for files that can only say what Triton's schema has. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set(['engine', 'max_execution_ms']);

const choice = (names: readonly string[]) => (key: string, value: string) => {
  const name = names[Number(value)] ?? (names.includes(value) ? value : undefined);
  if (value !== '' && name !== undefined) return name;
  throw new ServingError('MODEL_INVALID', `parameter ${key}: expected 0 to ${names.length - 1}, got '${value}'`);
};

/** CUDA options that Triton still takes from `parameters`, with numbers for names (onnxruntime.cc, `LoadModel`). */
const CUDA_PARAMETERS: Readonly<Record<string, (key: string, value: string) => string>> = {
  cudnn_conv_algo_search: choice(['EXHAUSTIVE', 'HEURISTIC', 'DEFAULT']),
  arena_extend_strategy: choice(['kNextPowerOfTwo', 'kSameAsRequested']),
  gpu_mem_limit: (_key, value) => value,
};

function engineOf(value: string | undefined): 'native' | 'node' | undefined {
  if (value === undefined || value === 'native' || value === 'node') return value;
  throw new ServingError('MODEL_INVALID', `parameter engine: expected native or node, got '${value}'`);
}

function milliseconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() !== '' && Number.isSafeInteger(number) && number >= 0) return number;
  throw new ServingError('MODEL_INVALID', `parameter max_execution_ms: expected whole milliseconds, got '${value}'`);
}

function graphLevelOf(config: ModelConfig): number | undefined {
  const level = config.optimization?.graph?.level;
  if (level === undefined || level === 0) return undefined;
  if (level === -1 || level === 1 || level === 2) return level;
  throw new ServingError('MODEL_INVALID', `optimization.graph.level: expected -1, 1 or 2, got ${level}`);
}
