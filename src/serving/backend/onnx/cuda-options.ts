import { didYouMean, ServingError } from '../../../core/index.js';

/** What values an option takes. `choices`: by name, or by place in the list as Triton's older parameters give them. */
type Values = 'bytes' | 'count' | 'flag' | readonly string[];

/**
 * Options of the CUDA provider that configuration may set (`cuda_execution_provider_info.cc` of ONNX Runtime 1.30). The one
 * table: names and values are checked against it before the provider is loaded, and `npm run gpu:options` against the
 * provider itself.
 */
export const CUDA_OPTIONS: Readonly<Record<string, Values>> = {
  gpu_mem_limit: 'bytes',
  arena_extend_strategy: ['kNextPowerOfTwo', 'kSameAsRequested'],
  cudnn_conv_algo_search: ['EXHAUSTIVE', 'HEURISTIC', 'DEFAULT'],
  cudnn_conv_use_max_workspace: 'flag',
  cudnn_conv1d_pad_to_nc1d: 'flag',
  do_copy_in_default_stream: 'flag',
  enable_skip_layer_norm_strict_mode: 'flag',
  fuse_conv_bias: 'flag',
  prefer_nhwc: 'flag',
  sdpa_kernel: 'count',
  tunable_op_enable: 'flag',
  tunable_op_tuning_enable: 'flag',
  tunable_op_max_tuning_duration_ms: 'count',
  use_ep_level_unified_stream: 'flag',
  use_tf32: 'flag',
};

const POINTER = 'it is an address in a process, which no configuration can know';

const REFUSED: Readonly<Record<string, string>> = {
  device_id: 'the instance group names the device',
  enable_cuda_graph: 'CUDA graphs have fixed batch sizes: name them, provider.cuda_graph_batch_sizes',
  user_compute_stream: POINTER,
  has_user_compute_stream: POINTER,
  gpu_external_alloc: POINTER,
  gpu_external_free: POINTER,
  gpu_external_empty_cache: POINTER,
};

/** Largest size_t. */
const MOST_BYTES = 2n ** 64n - 1n;

/**
 * Checks options of the CUDA provider and gives their values as the provider reads them. Throws `MODEL_INVALID`, naming the
 * nearest known option, or what a value may be.
 */
export function readCudaOptions(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      const values = Object.hasOwn(CUDA_OPTIONS, name) ? CUDA_OPTIONS[name] : undefined;
      if (values === undefined) throw unknownOption(name);
      return [name, readValue(name, value, values)];
    }),
  );
}

function unknownOption(name: string): ServingError {
  const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
  if (refused !== undefined) {
    return new ServingError('MODEL_INVALID', `CUDA provider option '${name}' is not supported: ${refused}`);
  }
  return new ServingError(
    'MODEL_INVALID',
    `unknown CUDA provider option '${name}'${didYouMean(name, Object.keys(CUDA_OPTIONS))}`,
  );
}

function readValue(name: string, value: string, values: Values): string {
  const wanted = (what: string) =>
    new ServingError('MODEL_INVALID', `CUDA provider option '${name}': expected ${what}, got '${value}'`);
  if (values === 'flag') {
    if (/^(?:1|true|on)$/i.test(value)) return '1';
    if (/^(?:0|false|off)$/i.test(value)) return '0';
    throw wanted('true or false');
  }
  if (values === 'bytes') {
    if (/^\d{1,20}$/.test(value) && BigInt(value) > 0n && BigInt(value) <= MOST_BYTES) return value;
    throw wanted('bytes, 1 or more');
  }
  if (values === 'count') {
    if (/^\d{1,9}$/.test(value)) return value;
    throw wanted('a number, 0 or more');
  }
  const choice = values.includes(value) ? value : /^\d$/.test(value) ? values[Number(value)] : undefined;
  if (choice === undefined) throw wanted(values.join(', '));
  return choice;
}
