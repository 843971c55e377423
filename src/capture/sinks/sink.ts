import type { SinkDrop } from '../../core/index.js';
import type { StoredRow } from '../captured-row.js';

/** Where rows go, on the thread that writes. */
export interface Sink {
  /** Takes the row, or drops it where too much waits; never waits, never throws. */
  add(row: StoredRow): void;
  /** Gives up what is not delivered after `limitMs`. Never rejects. */
  close(limitMs: number): Promise<void>;
}

/** What a sink tells of its rows. */
export interface SinkReport {
  /** They lie in a file, or their receiver has them. */
  delivered(rows: number, bytes: number): void;
  fileWritten(): void;
  retried(): void;
  /** `why`: for the log, where something failed. */
  dropped(rows: number, reason: SinkDrop, why?: string): void;
  queued(bytes: number): void;
}

/** Time as a sink takes it. */
export interface SinkTime {
  readonly nowMs: () => number;
  /** Calls once after so many milliseconds, and gives what forgets it. */
  readonly after: (ms: number, fire: () => void) => () => void;
}

/** A promise that is kept after so long, unless it is forgotten before. */
export function timeLimit(time: SinkTime, limitMs: number): { readonly late: Promise<void>; forget(): void } {
  let forget = () => {};
  const late = new Promise<void>((resolve) => {
    forget = time.after(limitMs, resolve);
  });
  return { late, forget };
}

/** Waits between tries: doubled each time, and up to half as long again, so that senders do not come together. */
export function backoffMs(attempt: number, random: number): number {
  return Math.min(30_000, 250 * 2 ** attempt) * (1 + random / 2);
}
