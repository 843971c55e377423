import { koffiModule } from '../koffi-module.js';
import { keptLibraries } from '../library.js';
import { NativeMemory } from '../native-memory.js';

/** `CLOCK_THREAD_CPUTIME_ID` */
const THREAD_CLOCK = process.platform === 'darwin' ? 16 : 3;

let read: ((clock: number, out: number) => number) | undefined;
let out: NativeMemory;

/**
 * CPU time of the calling thread in nanoseconds. Other than the time on the wall it does not grow while the system has
 * given the core to another thread.
 */
export function threadTimeNs(): number {
  if (read === undefined) {
    const libc = koffiModule().load(null);
    keptLibraries.push(libc);
    read = libc.func('clock_gettime', 'int', ['int', 'uintptr_t']) as (clock: number, out: number) => number;
    out = new NativeMemory(16);
  }
  read(THREAD_CLOCK, out.address);
  return out.word(0) * 1e9 + out.word(1);
}
