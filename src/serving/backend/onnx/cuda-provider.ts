import path from 'node:path';
import { ServingError } from '../../../core/index.js';
import { CUDA_PROVIDER_FILES, cudaPresence } from './cuda-presence.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import { check, OrtFailure, publicText } from './status.js';

/**
 * Adds the CUDA provider to session options; the options are those of `readCudaOptions`. Throws `UNSUPPORTED` where this
 * machine cannot: the provider's files do not load (no driver, no CUDA or cuDNN libraries); `MODEL_INVALID` for an option's value.
 */
export function appendCuda(
  library: OrtLibrary,
  sessionOptions: Address,
  deviceId: number,
  options: Readonly<Record<string, string>>,
): void {
  const { api } = library;
  let cudaOptions = 0;
  try {
    cudaOptions = createCudaOptions(library);
    updateCudaOptions(library, cudaOptions, { ...options, device_id: String(deviceId) });
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

/** Throws `UNSUPPORTED` where the provider's files do not lie beside the library. */
export function requireProviderFiles(library: OrtLibrary): void {
  const missing = cudaPresence(library.path).missingFiles;
  if (missing.length === 0) return;
  throw unsupportedCuda(
    `${missing.join(' and ')} missing beside ${path.basename(library.path)} of ONNX Runtime ${library.version}; ` +
      `copy ${CUDA_PROVIDER_FILES.join(' and ')} of PyPI onnxruntime-gpu ${library.version} there`,
    new Error(`looked in ${path.dirname(library.path)}`),
  );
}

/** `OrtCUDAProviderOptionsV2*`; released by `ReleaseCUDAProviderOptions`. */
export function createCudaOptions(library: OrtLibrary): Address {
  const { api, scratch } = library;
  check(api, api.CreateCUDAProviderOptions(scratch.address));
  return scratch.word(0);
}

/** Sets options by name. Throws `MODEL_INVALID` for a value, `UNSUPPORTED` where the provider does not load. */
export function updateCudaOptions(
  library: OrtLibrary,
  cudaOptions: Address,
  options: Readonly<Record<string, string>>,
): void {
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
