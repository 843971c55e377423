import { type MemoryRegion, ServingError } from '../../core/index.js';

/** The system shared memory extension's object. */
export interface SharedMemoryRegion {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byte_size: number;
}

export function regionObject({ name, key, offsetBytes, bytes }: MemoryRegion): SharedMemoryRegion {
  return { name, key, offset: offsetBytes, byte_size: bytes };
}

/** Reads what a registration says: `key`, `offset` (0 where absent), `byte_size`. Throws MALFORMED_REQUEST. */
export function regionOf(name: string, asked: Readonly<Record<string, unknown>>): MemoryRegion {
  const { key, offset = 0, byte_size: bytes } = asked;
  if (key === undefined) throw malformed("Shared memory register request has no 'key' field");
  if (typeof key !== 'string') throw malformed(`'key' is a ${typeof key}, expected a string`);
  if (bytes === undefined) throw malformed("Shared memory register request has no 'byte_size' field");
  return { name, key, offsetBytes: wholeNumber('offset', offset), bytes: wholeNumber('byte_size', bytes) };
}

/** CUDA memory of clients is not taken, and the answer says so. */
export function noCudaMemory(): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    'CUDA memory of clients is not taken: use system shared memory (--allow-client-shm), or send tensors with the request',
  );
}

function wholeNumber(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(`'${name}' is ${String(JSON.stringify(value)).slice(0, 64)}, expected an integer from 0`);
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
