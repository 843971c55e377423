import type { DeviceFault } from '../../../core/index.js';

/** One kind of failure text and what it says of the device. */
interface FaultRow {
  readonly fault: DeviceFault;
  readonly text: RegExp;
}

/**
 * CUDA's error numbers after which "the process must be terminated and relaunched" (`driver_types.h`), and those of a
 * device that is gone or whose memory is damaged. ONNX Runtime writes `CUDA failure 700: ...` (`cuda_call.cc`), its newer
 * parts `CUDA error cudaErrorIllegalAddress:...`.
 */
const LOST_NUMBERS = [46, 214, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911, 999];
const LOST_NAMES = [
  'DevicesUnavailable',
  'ECCUncorrectable',
  'Contained',
  'IllegalAddress',
  'LaunchTimeout',
  'Assert',
  'HardwareStackError',
  'IllegalInstruction',
  'MisalignedAddress',
  'InvalidAddressSpace',
  'InvalidPc',
  'LaunchFailure',
  'TensorMemoryLeak',
  'MpsClientTerminated',
  'ExternalDevice',
];

/** The first row whose text matches decides. A model's own cap (`gpu_mem_limit`) that is reached is no row: the device is well. */
const FAULTS: readonly FaultRow[] = [
  { fault: 'lost', text: new RegExp(`\\bCUDA (?:failure|error) (?:${LOST_NUMBERS.join('|')})\\b`) },
  { fault: 'lost', text: new RegExp(`\\bcudaError(?:${LOST_NAMES.join('|')})\\b`) },
  { fault: 'lost', text: /illegal memory access was encountered|unspecified launch failure|\bGPU is lost\b/i },
  { fault: 'memory', text: /\bCUDA (?:failure|error) 2\b|\bcudaErrorMemoryAllocation\b/ },
  { fault: 'memory', text: /\bCUBLAS_STATUS_ALLOC_FAILED\b|\bCUDNN_STATUS_ALLOC_FAILED\b/ },
  { fault: 'memory', text: /Failed to allocate memory for requested buffer of size \d+/ },
];

/**
 * What ONNX Runtime's failure text says of the device it ran on; undefined where the failure is the batch's or the
 * model's. CUDNN_STATUS_EXECUTION_FAILED and its like are left out: where the context is destroyed the next run says so in
 * CUDA's own words. Only for runs on a GPU: on a CPU the same words mean the process's memory.
 */
export function deviceFaultOf(message: string): DeviceFault | undefined {
  return FAULTS.find(({ text }) => text.test(message))?.fault;
}
