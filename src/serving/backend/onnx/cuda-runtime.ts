import { callOffLoop } from './call-gate.js';
import { koffiModule } from './koffi-module.js';
import { keptLibraries, type NativeFunction } from './library.js';

/** How a thread waits for its GPU. `block`: asleep; `spin`: a busy core, some microseconds sooner; `auto`: CUDA chooses. */
export type GpuWait = 'auto' | 'spin' | 'yield' | 'block';

/** `cudaDeviceSchedule*` of `driver_types.h`. */
const SCHEDULE: Readonly<Record<GpuWait, number>> = { auto: 0, spin: 1, yield: 2, block: 4 };
/** `cudaInitDeviceFlagsAreValid`. */
const FLAGS_ARE_VALID = 1;

/** The library that the CUDA provider of ONNX Runtime's official builds is linked to: the same copy of it in the process. */
const LIBRARY = 'libcudart.so.13';

/** (values) -> cudaError_t */
type CudaCall = (...values: number[]) => number;

/** The few functions of CUDA's runtime that are called directly (`cuda_runtime_api.h`). */
export interface CudaRuntime {
  /** (device, device flags, init flags) -> cudaError_t: makes the device's context with the flags, before anybody else does. */
  readonly cudaInitDevice: NativeFunction;
  /** (device): the device of the calling thread. */
  readonly cudaSetDevice: CudaCall;
  /** (to, from, bytes, kind): `COPY_IN` or `COPY_OUT`. */
  readonly cudaMemcpy: CudaCall;
  /** (stream): 0 is the default one, on which `cudaMemcpy` copies. */
  readonly cudaStreamSynchronize: CudaCall;
  /** (address, bytes, flags): locks the pages of memory that is there already. */
  readonly cudaHostRegister: CudaCall;
  readonly cudaHostUnregister: CudaCall;
  /** (cudaError_t) -> its text. */
  readonly cudaGetErrorString: (error: number) => string;
}

/** `cudaMemcpyHostToDevice`, `cudaMemcpyDeviceToHost`. */
export const COPY_IN = 1;
export const COPY_OUT = 2;
/** `cudaHostRegisterPortable`: for the contexts of all devices. */
export const PORTABLE = 1;

const SIGNATURES = {
  cudaInitDevice: ['int', 'uint', 'uint'],
  cudaSetDevice: ['int'],
  cudaMemcpy: ['uintptr_t', 'uintptr_t', 'size_t', 'int'],
  cudaStreamSynchronize: ['uintptr_t'],
  cudaHostRegister: ['uintptr_t', 'size_t', 'uint'],
  cudaHostUnregister: ['uintptr_t'],
};

let runtime: CudaRuntime | undefined;
let placeOf: ((text: Uint8Array, bytes: number, device: number) => number) | undefined;

/** CUDA's runtime library, or undefined where it is not found: then no CUDA provider loads either. */
export function cudaRuntime(): CudaRuntime | undefined {
  if (runtime !== undefined) return runtime;
  try {
    const library = koffiModule().load(LIBRARY);
    keptLibraries.push(library);
    const calls = Object.entries(SIGNATURES).map(([name, values]) => [name, library.func(name, 'int', values)]);
    const cudaGetErrorString = library.func('cudaGetErrorString', 'str', ['int']);
    placeOf = library.func('cudaDeviceGetPCIBusId', 'int', ['void *', 'int', 'int']);
    runtime = { ...Object.fromEntries(calls), cudaGetErrorString } as CudaRuntime;
  } catch {
    return undefined;
  }
  return runtime;
}

const initialised = new Set<number>();

/**
 * Says how threads wait for a GPU: once a device, before its context exists, for the flags of an existing one stay as they
 * are. Off the event loop: making a context takes some 100 ms. Resolves with what CUDA says where it refuses, for the log;
 * the session's creation will find the same device unfit.
 */
export async function initDevice(
  deviceId: number,
  wait: GpuWait,
  cuda: CudaRuntime | undefined = cudaRuntime(),
): Promise<string | undefined> {
  if (cuda === undefined || initialised.has(deviceId)) return undefined;
  const error = await callOffLoop(cuda.cudaInitDevice, [deviceId, SCHEDULE[wait], FLAGS_ARE_VALID], cuda);
  if (error !== 0) return `CUDA error ${error}: ${cuda.cudaGetErrorString(error)}`;
  initialised.add(deviceId);
  return undefined;
}

/** Where on the PCI bus the GPU is that CUDA numbers so: `0000:65:00.0`. Undefined where CUDA is not loaded or does not know. */
export function cudaBusId(deviceId: number): string | undefined {
  if (cudaRuntime() === undefined || placeOf === undefined) return undefined;
  const text = new Uint8Array(32);
  if (placeOf(text, text.length, deviceId) !== 0) return undefined;
  return Buffer.from(text.subarray(0, text.indexOf(0))).toString();
}
