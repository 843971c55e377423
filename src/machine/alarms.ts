import { Worker } from 'node:worker_threads';
import { type AlarmBlock, alarmBlock, BELL } from './alarm-block.js';
import { monotonicOriginNs } from './monotonic-origin.js';

/** Below this the hop from the other thread takes longer than the wait: the event loop turns until the time has come. */
const TURN_NS = 40e3;
/** How long before its instant an alarm rings, so that the hop ends about at it. */
const HOP_NS = 40e3;

interface Alarm {
  readonly atNs: number;
  readonly fire: () => void;
}

/** JavaScript heap of the thread, in MiB: it holds a loop. */
const HEAP = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 };

/**
 * Timers of this thread that are exact to about a tenth of a millisecond without a busy wait, where Node's count whole
 * milliseconds. A thread of their own sleeps for them; it starts with the first and does not keep the process alive. While
 * it starts, the event loop turns until the time has come. Instants are in `performance.now() * 1e6`.
 */
export class Alarms {
  /** Ascending in `atNs`; few: as many as batches and windows are pending. */
  readonly #alarms: Alarm[] = [];
  #block: AlarmBlock | undefined;
  #originNs = 0;
  #thread: 'none' | 'starting' | 'ready' | 'ended' = 'none';
  /** What the thread was told last. */
  #toldNs = Number.POSITIVE_INFINITY;
  #turning = false;

  /** Calls `fire` at `atNs` or up to some hundred microseconds later; the result takes it back. */
  set(atNs: number, fire: () => void): () => void {
    const alarms = this.#alarms;
    const alarm: Alarm = { atNs, fire };
    let at = alarms.length;
    while (at > 0 && (alarms[at - 1] as Alarm).atNs > atNs) at--;
    alarms.splice(at, 0, alarm);
    if (at === 0) this.#await();
    return () => {
      const index = alarms.indexOf(alarm);
      if (index >= 0) alarms.splice(index, 1);
    };
  }

  /** Sees to it that this is called again when the first alarm is due, or a little before. */
  #await(): void {
    const [first] = this.#alarms;
    if (first === undefined) return;
    const ringNs = first.atNs - HOP_NS;
    if (this.#thread === 'none') this.#start();
    if (this.#block === undefined || this.#thread !== 'ready' || ringNs - performance.now() * 1e6 < TURN_NS) {
      this.#turn();
      return;
    }
    // One that rings sooner than asked for is asked again then.
    if (this.#toldNs <= ringNs) return;
    this.#toldNs = ringNs;
    const { signals, dueNs } = this.#block;
    dueNs[0] = ringNs + this.#originNs;
    Atomics.add(signals, BELL, 1);
    Atomics.notify(signals, BELL);
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#fireDue();
    });
  }

  #fireDue(): void {
    const alarms = this.#alarms;
    const nowNs = performance.now() * 1e6;
    for (let first = alarms[0]; first !== undefined && first.atNs <= nowNs; first = alarms[0]) {
      alarms.shift();
      first.fire();
    }
    this.#await();
  }

  #start(): void {
    this.#thread = 'starting';
    this.#originNs = monotonicOriginNs();
    this.#block = alarmBlock();
    this.#block.dueNs[0] = Number.POSITIVE_INFINITY;
    const worker = new Worker(new URL('./alarm-thread-entry.js', import.meta.url), {
      workerData: this.#block.buffer,
      name: 'alarms',
      execArgv: [],
      resourceLimits: HEAP,
    });
    worker.on('message', (message: 'ready' | 'due') => {
      if (message === 'ready') this.#thread = 'ready';
      else this.#toldNs = Number.POSITIVE_INFINITY;
      this.#fireDue();
    });
    // Where a thread cannot run, the event loop turns until the time has come.
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#thread = 'ended';
      this.#await();
    });
    // After the listener for messages, which would hold the process again.
    worker.unref();
  }
}
