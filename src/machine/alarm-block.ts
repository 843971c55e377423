/** What an alarm thread and the thread that it wakes share. */
export interface AlarmBlock {
  readonly buffer: SharedArrayBuffer;
  /** `BELL`. */
  readonly signals: Int32Array;
  /** The next instant, in the system's monotonic nanoseconds; `Infinity` = none. */
  readonly dueNs: Float64Array;
}

/** Index in `signals`: grows by one whenever `dueNs` was written; the thread sleeps on it. */
export const BELL = 0;

const SIGNAL_BYTES = 64;

/** The views over a block, of a new one where none is given. */
export function alarmBlock(buffer = new SharedArrayBuffer(SIGNAL_BYTES + 8)): AlarmBlock {
  return {
    buffer,
    signals: new Int32Array(buffer, 0, 1),
    dueNs: new Float64Array(buffer, SIGNAL_BYTES, 1),
  };
}
