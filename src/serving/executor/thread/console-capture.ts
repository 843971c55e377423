import { parentPort } from 'node:worker_threads';
import type { ConsoleLine } from './thread-message.js';

/** Lines on their way to the main thread at once, and characters of one: a script must not fill the server's memory. */
const MOST_LINES = 256;
const MOST_CHARACTERS = 4096;

/**
 * Sends what this worker writes to stdout and stderr to the main thread, for its log, line by line. `counters`: lines
 * sent and not yet taken, and lines dropped because `MOST_LINES` were.
 */
export function captureConsole(counters: Int32Array): void {
  capture(process.stdout, 'info', counters);
  capture(process.stderr, 'warn', counters);
}

function capture(stream: NodeJS.WriteStream, level: ConsoleLine['level'], counters: Int32Array): void {
  const write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    // One entry a write: an error's stack stays together.
    if (text.trim() !== '') send(level, text.trimEnd(), counters);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') queueMicrotask(() => done());
    return true;
  };
  stream.write = write as typeof stream.write;
}

function send(level: ConsoleLine['level'], text: string, counters: Int32Array): void {
  if (Atomics.add(counters, 0, 1) >= MOST_LINES) {
    Atomics.sub(counters, 0, 1);
    Atomics.add(counters, 1, 1);
    return;
  }
  const shown = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}...` : text;
  const line: ConsoleLine = { kind: 'console', level, text: shown };
  parentPort?.postMessage(line);
}

/** The main thread's side: takes one line off the count and returns how many were dropped since the last. */
export function takeLine(counters: Int32Array): number {
  Atomics.sub(counters, 0, 1);
  return Atomics.exchange(counters, 1, 0);
}
