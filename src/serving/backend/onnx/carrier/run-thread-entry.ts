import { parentPort, workerData } from 'node:worker_threads';
import { bindAlone } from '../library.js';
import { BELL, COMPUTE_NS, commandBlock, READY, RETURNED, type RunThreadData, STATUS, STOP } from './command-block.js';
import { denormalsOff } from './denormals-off.js';
import { nameThread } from './thread-name.js';

// A thread that does nothing but call `Run` when it is told to, and sleeps between runs. Nothing here parses or encodes
// numbers: its arithmetic may treat subnormal ones as zero.

const data = workerData as RunThreadData;
const { signals, words } = commandBlock(data.buffer);
const port = parentPort as NonNullable<typeof parentPort>;

function serve(run: (...values: (number | undefined)[]) => number): void {
  let heard = 0;
  while (true) {
    Atomics.wait(signals, BELL, heard);
    if (Atomics.load(signals, STOP) === 1) return;
    const rung = Atomics.load(signals, BELL);
    if (rung === heard) continue;
    heard = rung;
    const startedMs = performance.now();
    words[STATUS] = run(words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7]);
    words[COMPUTE_NS] = (performance.now() - startedMs) * 1e6;
    port.postMessage(RETURNED);
  }
}

const run = bindAlone(data.libraryPath, 'Run') as (...values: (number | undefined)[]) => number;
nameThread(data.name);
if (data.denormalsOff) denormalsOff();
port.postMessage(READY);
serve(run);
