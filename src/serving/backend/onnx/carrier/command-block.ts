import { RUN_ARGUMENTS } from './run-call.js';

/** What the two sides of a run thread share. The words belong to the side whose turn it is. */
export interface CommandBlock {
  readonly buffer: SharedArrayBuffer;
  /** `BELL` and `STOP`. */
  readonly signals: Int32Array;
  /** The arguments, then what came of them: `STATUS` and `COMPUTE_NS`. */
  readonly words: Float64Array;
}

/** Index in `signals`: grows by one for each run; the thread sleeps on it. */
export const BELL = 0;
/** Index in `signals`: 1 = end the thread when the bell rings next. */
export const STOP = 1;
/** Indexes in `words`. */
export const STATUS = RUN_ARGUMENTS;
export const COMPUTE_NS = RUN_ARGUMENTS + 1;

const SIGNAL_BYTES = 64;

/** The views over a block, of a new one where none is given. */
export function commandBlock(buffer = new SharedArrayBuffer(SIGNAL_BYTES + (RUN_ARGUMENTS + 2) * 8)): CommandBlock {
  const words = new Float64Array(buffer, SIGNAL_BYTES, RUN_ARGUMENTS + 2);
  return { buffer, signals: new Int32Array(buffer, 0, 2), words };
}

/** What a run thread is started with. */
export interface RunThreadData {
  readonly buffer: SharedArrayBuffer;
  readonly libraryPath: string;
  /** For those who look at the process's threads. */
  readonly name: string;
  /** Subnormal numbers count as zero in this thread. */
  readonly denormalsOff: boolean;
}

/** What it says: that it is ready, that a run has returned, or why it cannot. */
export type RunThreadMessage = typeof READY | typeof RETURNED | string;
export const READY = 1;
export const RETURNED = 0;
