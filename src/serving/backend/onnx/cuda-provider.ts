import path from 'node:path';
import { didYouMean, ServingError } from '../../../core/index.js';
import { CUDA_PROVIDER_FILES, cudaPresence } from './cuda-presence.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import { check, OrtFailure, publicText } from './status.js';

/** Options of the CUDA provider (cuda_execution_provider_info.cc) that configuration may set. */
const KNOWN_OPTIONS = [
  'gpu_mem_limit',
  'arena_extend_strategy',
  'cudnn_conv_algo_search',
  'cudnn_conv_use_max_workspace',
  'cudnn_conv1d_pad_to_nc1d',
  'do_copy_in_default_stream',
  'enable_skip_layer_norm_strict_mode',
  'fuse_conv_bias',
  'prefer_nhwc',
  'sdpa_kernel',
  'tunable_op_enable',
  'tunable_op_tuning_enable',
  'tunable_op_max_tuning_duration_ms',
  'use_ep_level_unified_stream',
  'use_tf32',
] as const;

const REFUSED: Readonly<Record<string, string>> = {
  device_id: 'the instance group names the device',
  enable_cuda_graph: 'CUDA graphs need a session and a thread for each lane, which this engine does not give',
  user_compute_stream: 'it is a pointer',
  has_user_compute_stream: 'it needs a pointer',
  gpu_external_alloc: 'it is a pointer',
  gpu_external_free: 'it is a pointer',
  gpu_external_empty_cache: 'it is a pointer',
};

/** Checks the names of CUDA provider options. Throws `MODEL_INVALID`, naming the nearest known one. */
export function checkCudaOptions(options: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(options)) {
    if ((KNOWN_OPTIONS as readonly string[]).includes(name)) continue;
    const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    if (refused !== undefined) {
      throw new ServingError('MODEL_INVALID', `CUDA provider option '${name}' is not supported: ${refused}`);
    }
    throw new ServingError('MODEL_INVALID', `unknown CUDA provider option '${name}'${didYouMean(name, KNOWN_OPTIONS)}`);
  }
}

/**
 * Adds the CUDA provider to session options. Throws `UNSUPPORTED` where this machine cannot: the provider's files are
 * missing, or they do not load (no driver, no CUDA or cuDNN libraries); `MODEL_INVALID` for an option's value.
 */
export function appendCuda(
  library: OrtLibrary,
  sessionOptions: Address,
  deviceId: number,
  options: Readonly<Record<string, string>>,
): void {
  requireProviderFiles(library);
  const { api, scratch } = library;
  let cudaOptions = 0;
  try {
    check(api, api.CreateCUDAProviderOptions(scratch.address));
    cudaOptions = scratch.word(0);
    updateOptions(library, cudaOptions, { ...options, device_id: String(deviceId) });
    check(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(sessionOptions, cudaOptions));
  } catch (cause) {
    if (!(cause instanceof OrtFailure)) throw cause;
    throw unsupportedCuda(publicText(cause.message, [path.dirname(library.path)]), cause);
  } finally {
    if (cudaOptions !== 0) api.ReleaseCUDAProviderOptions(cudaOptions);
  }
}

/** The provider cannot be used here, in the words of ONNX Runtime. */
export function unsupportedCuda(why: string, cause?: unknown): ServingError {
  return new ServingError('UNSUPPORTED', `the CUDA provider cannot be used on this machine: ${why}`, { cause });
}

function requireProviderFiles(library: OrtLibrary): void {
  const missing = cudaPresence(library.path).missingFiles;
  if (missing.length === 0) return;
  throw unsupportedCuda(
    `${missing.join(' and ')} missing beside ${path.basename(library.path)} of ONNX Runtime ${library.version}; ` +
      `copy ${CUDA_PROVIDER_FILES.join(' and ')} of PyPI onnxruntime-gpu ${library.version} there`,
    new Error(`looked in ${path.dirname(library.path)}`),
  );
}

function updateOptions(library: OrtLibrary, cudaOptions: Address, options: Readonly<Record<string, string>>): void {
  const entries = Object.entries(options);
  const keys = new NativeMemory(entries.length * 8);
  const values = new NativeMemory(entries.length * 8);
  const texts = entries.map(([key, value], i) => {
    const pair = [nativeText(key), nativeText(value)] as const;
    keys.setWord(i, pair[0].address);
    values.setWord(i, pair[1].address);
    return pair;
  });
  const { api } = library;
  try {
    check(api, api.UpdateCUDAProviderOptions(cudaOptions, keys.address, values.address, texts.length));
  } catch (cause) {
    if (!(cause instanceof OrtFailure)) throw cause;
    const why = publicText(cause.message, [path.dirname(library.path)]);
    // The call loads the provider first: what it says about options names one of them.
    if (entries.some(([key]) => cause.message.includes(key))) {
      throw new ServingError('MODEL_INVALID', `CUDA provider options: ${why}`, { cause });
    }
    throw unsupportedCuda(why, cause);
  }
}
