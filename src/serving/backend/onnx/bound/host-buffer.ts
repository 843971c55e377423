import { type Address, NativeMemory } from '../native-memory.js';
import { type RunStep, STEP } from './run-program.js';

const PAGE_BYTES = 4096;

/**
 * A buffer of a lane in this process's memory, on pages of its own, which can be locked so that a GPU copies from and to them
 * directly. It stays a SharedArrayBuffer of ours whether locked or not: a view of it that outlives the lane is harmless, which
 * it would not be in memory of a `CudaPinned` allocator.
 */
export class HostBuffer {
  readonly bytes: Uint8Array;
  readonly address: Address;
  readonly #pageBytes: number;

  constructor(byteLength: number) {
    this.#pageBytes = Math.max(1, Math.ceil(byteLength / PAGE_BYTES)) * PAGE_BYTES;
    const memory = new NativeMemory(this.#pageBytes + PAGE_BYTES);
    const offset = (PAGE_BYTES - (memory.address % PAGE_BYTES)) % PAGE_BYTES;
    this.address = memory.address + offset;
    this.bytes = memory.bytes.subarray(offset, offset + byteLength);
  }

  /** What locks its pages, and what unlocks them again. */
  get lockStep(): RunStep {
    return [STEP.lock, this.address, this.#pageBytes];
  }

  get unlockStep(): RunStep {
    return [STEP.unlock, this.address];
  }
}
