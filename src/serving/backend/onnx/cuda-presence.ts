import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundledLibraryPath } from './library.js';

/** What of CUDA can be seen without loading anything. */
export interface CudaPresence {
  /** A file that an NVIDIA driver puts there; undefined = no driver. */
  readonly driverMark: string | undefined;
  /** Provider files that are not beside ONNX Runtime's library. */
  readonly missingFiles: readonly string[];
}

/** Files that ONNX Runtime's CUDA provider comes as; they lie beside its library. */
export const CUDA_PROVIDER_FILES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'] as const;
/** The last is WSL's. */
const DRIVER_MARKS = ['/dev/nvidiactl', '/proc/driver/nvidia/version', '/dev/dxg'];

/** Looks for a driver and for the provider's files, by default beside the library that onnxruntime-node ships. */
export function cudaPresence(libraryPath: string = bundledLibraryPath()): CudaPresence {
  return {
    driverMark: DRIVER_MARKS.find((mark) => existsSync(mark)),
    missingFiles: CUDA_PROVIDER_FILES.filter((file) => !existsSync(join(dirname(libraryPath), file))),
  };
}
