import { koffiModule } from '../koffi-module.js';
import { keptLibraries } from '../library.js';
import { NativeMemory } from '../native-memory.js';

/** Where the C library's `fenv_t` holds the control word that lets subnormal numbers count as zero, and the bits that do. */
interface ControlWord {
  readonly library: string | null;
  readonly word: number;
  readonly bits: number;
}

const FLUSH_TO_ZERO_ARM = 1 << 24;
const CONTROL_WORDS: Readonly<Record<string, ControlWord>> = {
  // MXCSR: flush to zero, denormals are zero.
  'linux-x64': { library: 'libm.so.6', word: 7, bits: 0x8040 },
  'linux-arm64': { library: 'libm.so.6', word: 0, bits: FLUSH_TO_ZERO_ARM },
  'darwin-arm64': { library: null, word: 2, bits: FLUSH_TO_ZERO_ARM },
};

/**
 * Lets subnormal numbers count as zero in the calling thread, for native code and JavaScript alike, until the thread ends:
 * only for threads that neither parse nor write numbers. Throws where it has no effect.
 */
export function denormalsOff(): void {
  const control = CONTROL_WORDS[`${process.platform}-${process.arch}`];
  if (control === undefined) throw new Error('this machine has no known way to turn subnormal numbers off');
  const library = koffiModule().load(control.library);
  keptLibraries.push(library);
  const environment = new NativeMemory(64);
  const words = new Uint32Array(environment.bytes.buffer, environment.bytes.byteOffset, 16);
  library.func('fegetenv', 'int', ['uintptr_t'])(environment.address);
  (words[control.word] as number) |= control.bits;
  library.func('fesetenv', 'int', ['uintptr_t'])(environment.address);
  if (Number.parseFloat('1e-200') * Number.parseFloat('1e-120') !== 0)
    throw new Error('subnormal numbers are still there');
}
