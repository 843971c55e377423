import type { Clock, ClockTimer } from '../../core/index.js';
import { TraceFigures } from './trace-figures.js';
import { TraceRate } from './trace-rate.js';
import type { KeptFor, TraceRecord } from './trace-record.js';

/** Records of one bunch, at most. */
const BUNCH = 64;
/** How long the first record of a bunch waits for others. */
const WAIT_NS = 50e6;
/** Records that the thread that exports has not taken yet, at most: beyond them traces are dropped. */
const MOST_PENDING = 4096;

export interface TraceOutboxOptions {
  readonly clock: Clock;
  /** Of this thread. */
  readonly tracesPerSecond: number;
  /** Where it counts. */
  readonly figures: SharedArrayBuffer;
  readonly post: (records: readonly TraceRecord[]) => void;
}

/** Traces of one thread on their way to the thread that exports: counted, limited, in bunches, never waited for. */
export class TraceOutbox {
  readonly #options: TraceOutboxOptions;
  readonly #rate: TraceRate;
  readonly #figures: TraceFigures;
  #bunch: TraceRecord[] = [];
  /** On their way, the bunch included. */
  #pending = 0;
  #timer: ClockTimer | undefined;

  constructor(options: TraceOutboxOptions) {
    this.#options = options;
    this.#rate = new TraceRate(options.tracesPerSecond, options.clock.nowNs());
    this.#figures = new TraceFigures(options.figures);
  }

  /** Whether one more trace may be kept; counts it, or why it was not. */
  mayKeep(keptFor: KeptFor, nowNs: number): boolean {
    const why = this.#pending >= MOST_PENDING ? 'busy' : this.#rate.take(nowNs) ? undefined : 'rate';
    if (why === undefined) this.#figures.kept(keptFor);
    else this.#figures.dropped(why);
    return why === undefined;
  }

  send(record: TraceRecord): void {
    this.#pending++;
    this.#bunch.push(record);
    const { clock } = this.#options;
    if (this.#bunch.length >= BUNCH) this.flush();
    else this.#timer ??= clock.setTimer(clock.nowNs() + WAIT_NS, () => this.flush());
  }

  /** The thread that exports has taken so many. */
  taken(records: number): void {
    this.#pending -= records;
  }

  /** Sends what there is. */
  flush(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#bunch.length === 0) return;
    const bunch = this.#bunch;
    this.#bunch = [];
    this.#options.post(bunch);
  }
}
