import { koffiModule } from '../koffi-module.js';
import { keptLibraries } from '../library.js';

const PR_SET_NAME = 15;
/** What the kernel keeps of a name, less its closing NUL. */
const NAME_BYTES = 15;

/** Names the calling thread as `top -H`, `perf` and /proc show it: the first 15 bytes. Elsewhere than on Linux nothing. */
export function nameThread(name: string): void {
  if (process.platform !== 'linux') return;
  const libc = koffiModule().load(null);
  keptLibraries.push(libc);
  const text = Buffer.from(name).subarray(0, NAME_BYTES).toString('latin1');
  libc.func('prctl', 'int', ['int', 'str', '...'])(PR_SET_NAME, text);
}
