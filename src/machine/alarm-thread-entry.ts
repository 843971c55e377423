import { parentPort, workerData } from 'node:worker_threads';
import { alarmBlock, BELL } from './alarm-block.js';
import { monotonicOriginNs } from './monotonic-origin.js';

// A thread that sleeps until the instant it is told, to some tens of microseconds, and says so. A futex waits in
// nanoseconds where the event loop's poll waits in whole milliseconds.

const { signals, dueNs } = alarmBlock(workerData as SharedArrayBuffer);
const port = parentPort as NonNullable<typeof parentPort>;
const originNs = monotonicOriginNs();

port.postMessage('ready');
for (let rungNs = Number.POSITIVE_INFINITY; ; ) {
  const heard = Atomics.load(signals, BELL);
  const atNs = dueNs[0] as number;
  const waitMs = atNs === rungNs ? Number.POSITIVE_INFINITY : (atNs - originNs) / 1e6 - performance.now();
  if (waitMs > 0) Atomics.wait(signals, BELL, heard, waitMs);
  else {
    rungNs = atNs;
    port.postMessage('due');
  }
}
