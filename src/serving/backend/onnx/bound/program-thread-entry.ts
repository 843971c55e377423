import { parentPort, workerData } from 'node:worker_threads';
import { COPY_IN, COPY_OUT, cudaRuntime, PORTABLE } from '../cuda-runtime.js';
import { bindAlone, loadOrtLibrary } from '../library.js';
import { BELL, blockViews, FAILED_STEP, PROGRAM, type ProgramThreadData, RESULT, STOP } from './program-block.js';
import { STEP, STEP_WORDS } from './run-program.js';

// A thread that does nothing but make the native calls of a program when the bell rings, and sleeps between.

const data = workerData as ProgramThreadData;
const { signals, words } = blockViews(data.block);
const port = parentPort as NonNullable<typeof parentPort>;
const runWithBinding = bindAlone(data.libraryPath, 'RunWithBinding');

type Call = (a: number, b: number, c: number) => number;

/** The steps as calls: 0 is success, for the run an `OrtStatus*`, for the others a `cudaError_t`. */
function callsFor(device: ProgramThreadData['device']): readonly Call[] {
  const calls: Call[] = [];
  calls[STEP.run] = (session, options, binding) => runWithBinding(session, options, binding);
  if (device.copies === 'cuda') {
    const cuda = cudaRuntime();
    if (cuda === undefined) throw new Error("CUDA's runtime library is not found");
    const error = cuda.cudaSetDevice(device.deviceId);
    if (error !== 0) throw new Error(`CUDA failure ${error}: ${cuda.cudaGetErrorString(error)}`);
    calls[STEP.copyIn] = (to, from, bytes) => cuda.cudaMemcpy(to, from, bytes, COPY_IN);
    calls[STEP.copyOut] = (to, from, bytes) => cuda.cudaMemcpy(to, from, bytes, COPY_OUT);
    calls[STEP.arrived] = () => cuda.cudaStreamSynchronize(0);
    calls[STEP.lock] = (address, bytes) => cuda.cudaHostRegister(address, bytes, PORTABLE);
    calls[STEP.unlock] = (address) => cuda.cudaHostUnregister(address);
  } else if (device.copies === 'memcpy') {
    const { copy } = loadOrtLibrary(data.libraryPath);
    const within: Call = (to, from, bytes) => {
      copy(to, from, bytes);
      return 0;
    };
    calls[STEP.copyIn] = within;
    calls[STEP.copyOut] = within;
    calls[STEP.arrived] = () => 0;
  }
  return calls;
}

function perform(calls: readonly Call[]): void {
  words[RESULT] = 0;
  const steps = words[PROGRAM] as number;
  for (let i = 0; i < steps; i++) {
    const at = PROGRAM + 1 + i * STEP_WORDS;
    const call = calls[words[at] as number] as Call;
    const result = call(words[at + 1] as number, words[at + 2] as number, words[at + 3] as number);
    if (result === 0) continue;
    words[FAILED_STEP] = words[at] as number;
    words[RESULT] = result;
    return;
  }
}

function serve(calls: readonly Call[]): void {
  let heard = 0;
  while (true) {
    Atomics.wait(signals, BELL, heard);
    if (Atomics.load(signals, STOP) === 1) return;
    const rung = Atomics.load(signals, BELL);
    if (rung === heard) continue;
    heard = rung;
    perform(calls);
    port.postMessage('returned');
  }
}

const calls = callsFor(data.device);
port.postMessage('ready');
serve(calls);
