import { DATA_TYPES, type DataType } from '../../../core/index.js';
import { writeShape } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import type { Address } from './native-memory.js';
import { check } from './status.js';

/**
 * An OrtValue over `bytes` bytes at `address`, which stay whose they are; released by `ReleaseValue`. `memory`: the
 * `OrtMemoryInfo*` of where they lie; default this process's own.
 */
export function valueOver(
  { api, scratch, cpuMemory }: OrtLibrary,
  address: Address,
  bytes: number,
  shape: readonly number[],
  dataType: DataType,
  memory = cpuMemory,
): Address {
  const rank = writeShape(scratch, shape);
  const out = scratch.address + rank * 8;
  const { onnxElementType } = DATA_TYPES[dataType];
  check(api, api.CreateTensorWithDataAsOrtValue(memory, address, bytes, scratch.address, rank, onnxElementType, out));
  return scratch.word(rank);
}
