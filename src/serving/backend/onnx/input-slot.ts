import type { Batch } from '../../../core/index.js';
import type { Address, NativeMemory } from './native-memory.js';
import type { ShapedInput } from './shape-rule.js';

/** One input of a lane: its buffer and the OrtValues over it. Holds one batch at a time. */
export interface InputSlot extends ShapedInput {
  /** The input's name, NUL-terminated, alive as long as the slot. */
  readonly name: NativeMemory;
  /**
   * Copies the members' rows into the slot, in order, and gives the OrtValue over them; it is valid until `endRun`.
   * `index` is the input's place in the members.
   */
  fill(batch: Batch, index: number): Address;
  /** The run is over: releases what was made for it alone. */
  endRun(): void;
  close(): void;
}

/** Buffers up to this are made when the lane is; larger ones grow when a batch first needs them. */
export const PREALLOCATED_BYTES = 16 * 1024 * 1024;
/** OrtValues are kept for batches of up to so many rows; beyond it they are made for each run. */
export const MAX_CACHED_ROWS = 1024;

/** Bytes rounded up to a power of two, so that a slot that grows with its requests is seldom made anew. */
export function grownBytes(bytes: number): number {
  let size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

/** Writes a shape as int64 words and returns their number. */
export function writeShape(memory: NativeMemory, shape: readonly number[]): number {
  for (let i = 0; i < shape.length; i++) memory.setWord(i, shape[i] as number);
  return shape.length;
}
