/**
 * Preloaded into gateways whose work is counted (`node --import`), in every thread of theirs: what each has on its heap, old and young, in buffers, how
 * often it collected garbage; and, where BENCH_COUNT_COPIES is set, how many bytes its JavaScript copied. The main thread gathers
 * these when asked by IPC ('work').
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';

let collections = 0;
let fullCollections = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) {
    collections++;
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) fullCollections++;
  }
}).observe({ entryTypes: ['gc'] });

let copiedBytes = 0;
if (process.env.BENCH_COUNT_COPIES !== undefined) countCopies();

function work() {
  const { used_heap_size: heapBytes } = v8.getHeapStatistics();
  const { space_used_size: oldBytes } = v8.getHeapSpaceStatistics().find((space) => space.space_name === 'old_space');
  const { arrayBuffers: bufferBytes } = process.memoryUsage();
  return { threadId, heapBytes, oldBytes, bufferBytes, collections, fullCollections, copiedBytes };
}

/** Copies by JavaScript: what node's own libraries copy inside goes by functions that they took before this. */
function countCopies() {
  const typed = Object.getPrototypeOf(Uint8Array.prototype);
  const counted = (owner, name, bytesOf) => {
    const inner = owner[name];
    owner[name] = function (...words) {
      const result = inner.apply(this, words);
      copiedBytes += bytesOf.call(this, words, result);
      return result;
    };
  };
  counted(typed, 'set', (words) => words[0]?.byteLength ?? 0);
  counted(typed, 'slice', (_, result) => result.byteLength);
  counted(typed, 'copyWithin', (words) => Math.max(0, (words[2] ?? words[1]) - words[1]));
  counted(ArrayBuffer.prototype, 'slice', (_, result) => result.byteLength);
  counted(Buffer.prototype, 'copy', (_, result) => result);
  counted(Buffer.prototype, 'write', (_, result) => result);
  counted(Buffer, 'from', (words, result) =>
    typeof words[0] === 'object' && words[0].buffer !== undefined ? result.byteLength : 0,
  );
  counted(Buffer, 'concat', (_, result) => result.byteLength);
}

const channel = new BroadcastChannel('penstock-bench-work');
channel.unref();
if (isMainThread) {
  const others = new Map();
  let asked = false;
  const settleWhenAll = () => {
    if (!asked || [...others.values()].includes(undefined)) return;
    process.send?.([work(), ...others.values()]);
    asked = false;
  };
  process.on('worker', (worker) => {
    const id = worker.threadId;
    worker.once('exit', () => {
      others.delete(id);
      settleWhenAll();
    });
  });
  channel.onmessage = ({ data }) => {
    others.set(data.threadId, data);
    settleWhenAll();
  };
  process.on('message', (question) => {
    if (question === 'age') {
      globalThis.gc();
      process.send?.('aged');
    }
    if (question !== 'work') return;
    for (const id of others.keys()) others.set(id, undefined);
    asked = true;
    channel.postMessage('work');
    settleWhenAll();
  });
} else {
  channel.onmessage = () => channel.postMessage(work());
  // The main thread learns of this one.
  channel.postMessage(work());
}
