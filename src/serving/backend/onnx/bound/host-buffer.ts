import { callOffLoop } from '../call-gate.js';
import { type CudaRuntime, cudaRuntime } from '../cuda-runtime.js';
import { type Address, NativeMemory } from '../native-memory.js';

const PAGE_BYTES = 4096;
/** `cudaHostRegisterPortable`: for the contexts of all devices. */
const PORTABLE = 1;

/**
 * A buffer of a lane in this process's memory, on pages of its own, which can be locked so that a GPU copies from and to them
 * directly. It stays a SharedArrayBuffer of ours whether locked or not: a view of it that outlives the lane is harmless, which
 * it would not be in memory of a `CudaPinned` allocator.
 */
export class HostBuffer {
  readonly bytes: Uint8Array;
  readonly address: Address;
  readonly #pageBytes: number;
  #locked: CudaRuntime | undefined;

  constructor(byteLength: number) {
    this.#pageBytes = Math.max(1, Math.ceil(byteLength / PAGE_BYTES)) * PAGE_BYTES;
    const memory = new NativeMemory(this.#pageBytes + PAGE_BYTES);
    const offset = (PAGE_BYTES - (memory.address % PAGE_BYTES)) % PAGE_BYTES;
    this.address = memory.address + offset;
    this.bytes = memory.bytes.subarray(offset, offset + byteLength);
  }

  /** Locks its pages, off the event loop. Resolves with what CUDA says where it does not; the buffer serves unlocked then. */
  async lock(cuda: CudaRuntime | undefined = cudaRuntime()): Promise<string | undefined> {
    if (cuda === undefined) return "CUDA's runtime library is not found";
    const error = await callOffLoop(cuda.cudaHostRegister, [this.address, this.#pageBytes, PORTABLE], this);
    if (error !== 0) return `CUDA error ${error}: ${cuda.cudaGetErrorString(error)}`;
    this.#locked = cuda;
    return undefined;
  }

  /** Unlocks its pages. Nothing may be copying. */
  unlock(): void {
    this.#locked?.cudaHostUnregister(this.address);
    this.#locked = undefined;
  }
}
