import type { NativeFunction } from '../library.js';
import type { Address } from '../native-memory.js';
import type { Carrier, RunCall } from './run-call.js';
import { threadTimeNs } from './thread-time.js';

/** Carries runs on the calling thread, which they hold: for runs that are shorter than a hop to another thread. */
export class SyncCarrier implements Carrier {
  readonly #call: RunCall;
  readonly #run: NativeFunction;
  #error: unknown;
  #status: Address = 0;
  #computeNs = 0;
  readonly #tell = () => this.#call.returned(this.#error, this.#status, this.#computeNs);

  constructor(call: RunCall, run: NativeFunction) {
    this.#call = call;
    this.#run = run;
  }

  start(): void {
    const { values: v } = this.#call;
    this.#call.begun();
    const startedNs = threadTimeNs();
    this.#error = undefined;
    this.#status = 0;
    try {
      const run = this.#run as (...values: (number | undefined)[]) => Address;
      this.#status = run(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
    } catch (error) {
      this.#error = error;
    }
    this.#computeNs = threadTimeNs() - startedNs;
    // Whoever started it must have its call back before it is told.
    queueMicrotask(this.#tell);
  }

  withdraw(): boolean {
    return false;
  }
}
