import type { Batch, BatchHandle } from '../../core/index.js';
import type { Entry } from './entry.js';
import type { Isolation } from './isolation.js';

/** One execution in flight and who still waits for it. */
export class RunningBatch {
  /** Of this execution, see `MemberDone`. */
  readonly number: number;
  readonly batch: Batch;
  readonly entries: readonly Entry[];
  handle: BatchHandle | undefined = undefined;
  /** Its answers are being given. */
  ended = false;
  /** When it is expected to end. */
  readonly endsNs: number;
  /** The search that it is a run of. */
  readonly isolation: Isolation | undefined;
  #waiting: number;

  constructor(
    number: number,
    batch: Batch,
    entries: readonly Entry[],
    endsNs: number,
    isolation: Isolation | undefined,
  ) {
    this.number = number;
    this.isolation = isolation;
    this.endsNs = endsNs;
    this.batch = batch;
    this.entries = entries;
    this.#waiting = entries.length;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** One of its members was settled early; the last one to leave stops the run. */
  leave(): void {
    this.#waiting--;
    if (this.#waiting === 0 && !this.ended) this.handle?.cancel();
  }
}
