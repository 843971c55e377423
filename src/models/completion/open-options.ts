import type { ModelConfig } from '../../config/index.js';
import { type OpenRequest, type ProviderPolicy, ServingError } from '../../core/index.js';

/** What of a config goes to the backend with `open`, beside files and instances. */
export type OpenOptions = Pick<OpenRequest, 'parameters' | 'graphLevel' | 'maxExecutionMs' | 'provider'> & {
  /** Undefined: the config leaves it to the server. */
  readonly engine: 'native' | 'node' | undefined;
};

export interface OpenDefaults {
  readonly onGpuError: ProviderPolicy['onGpuError'];
  readonly strict: boolean;
  readonly maxExecutionMs: number;
  /** Parameters by backend that a model's own add to. */
  readonly backendParameters: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Picks engine, provider policy, graph level and parameters out of a config. Throws MODEL_INVALID, UNSUPPORTED. */
export function openOptionsOf(config: ModelConfig, backend: string, defaults: OpenDefaults): OpenOptions {
  const given = Object.entries(config.parameters ?? {}).map(([key, value]) => [key, value.string_value] as const);
  const inherited = Object.entries(defaults.backendParameters[backend] ?? {});
  const parameters: Record<string, string> = {};
  const own: Record<string, string> = {};
  const cuda: Record<string, string> = {};
  for (const [key, value] of [...inherited, ...given]) {
    const option = CUDA_PARAMETERS[key];
    if (SERVER_PARAMETERS.has(key)) continue;
    if (OWN_PARAMETERS.has(key)) own[key] = value;
    else if (option !== undefined) cuda[key] = option(key, value);
    else parameters[key] = value;
  }
  return {
    engine: config.engine ?? engineOf(own.engine),
    maxExecutionMs: config.max_execution_ms ?? milliseconds(own.max_execution_ms) ?? defaults.maxExecutionMs,
    graphLevel: graphLevelOf(config),
    provider: {
      onGpuError: config.provider?.on_gpu_error ?? defaults.onGpuError,
      strict: config.provider?.strict ?? defaults.strict,
      options: { ...cuda, ...config.provider?.options },
      ...bindingOf(config),
    },
    parameters,
  };
}

function bindingOf({ provider }: ModelConfig): Pick<ProviderPolicy, 'binding'> {
  const sizes = provider?.cuda_graph_batch_sizes;
  if (provider?.io_binding !== true && sizes === undefined) return {};
  const cudaGraphBatchSizes = sizes && [...new Set(sizes)].sort((a, b) => a - b);
  return { binding: { ioBinding: true, pinnedMemory: provider?.pinned_memory ?? true, cudaGraphBatchSizes } };
}

/** Parameters of a backend that say how configs are completed; they are not the backend's own. */
const SERVER_PARAMETERS: ReadonlySet<string> = new Set(['default-max-batch-size']);
const TRITON_DEFAULT_MAX_BATCH_SIZE = 4;

/** `--backend-config=BACKEND,default-max-batch-size=N`; 4 where it is not given, as in Triton. Throws MODEL_INVALID. */
export function defaultMaxBatchSizeOf(backend: string, defaults: OpenDefaults): number {
  const text = defaults.backendParameters[backend]?.['default-max-batch-size'];
  if (text === undefined) return TRITON_DEFAULT_MAX_BATCH_SIZE;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new ServingError(
    'MODEL_INVALID',
    `default-max-batch-size of backend '${backend}': expected a number, got '${text}'`,
  );
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
