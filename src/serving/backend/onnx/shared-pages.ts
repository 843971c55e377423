import { koffiModule } from './koffi-module.js';
import { keptLibraries, type NativeFunction } from './library.js';
import { type Address, addressOf } from './native-memory.js';

/** No smaller than the pages of any machine we run on. */
const PAGE_BYTES = 16 * 1024;
/** `MADV_DONTNEED` of Linux: the pages are freed at once and read as zeros when next touched. */
const MADV_DONTNEED = 4;

let madvise: NativeFunction | undefined;

/**
 * `byteLength` bytes of zeros in shared memory at a page boundary. The system gives pages to what is written only, so a
 * large reservation costs nothing. Where koffi does not load, the memory is as good but its boundary is left to chance.
 */
export function sharedPages(byteLength: number): Uint8Array<SharedArrayBuffer> {
  const buffer = new SharedArrayBuffer(byteLength + PAGE_BYTES);
  let offset = 0;
  try {
    offset = bytesToBoundary(addressOf(buffer));
  } catch {
    // Only the native engine needs addresses, and it refuses to load without koffi by itself.
  }
  return new Uint8Array(buffer, offset, byteLength);
}

/**
 * What gives the pages that lie wholly in a part of such memory back to the system (their contents are lost); undefined
 * where this machine has no such call.
 */
export function pageReturner(): ((memory: Uint8Array) => void) | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    if (madvise === undefined) {
      const libc = koffiModule().load('libc.so.6');
      keptLibraries.push(libc);
      madvise = libc.func('madvise', 'int', ['uintptr_t', 'size_t', 'int']) as unknown as NativeFunction;
    }
  } catch {
    return undefined;
  }
  return giveBack;
}

function giveBack(memory: Uint8Array): void {
  const start = addressOf(memory.buffer) + memory.byteOffset;
  const first = start + bytesToBoundary(start);
  const end = start + memory.byteLength;
  const bytes = end - (end % PAGE_BYTES) - first;
  if (bytes > 0) madvise?.(first, bytes, MADV_DONTNEED);
}

function bytesToBoundary(address: Address): number {
  return (PAGE_BYTES - (address % PAGE_BYTES)) % PAGE_BYTES;
}
