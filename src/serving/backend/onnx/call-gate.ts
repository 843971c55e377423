import { ServingError } from '../../../core/index.js';
import { MAX_CALLS_IN_FLIGHT } from './koffi-module.js';
import type { NativeFunction } from './library.js';

/** A native call that waits for its turn or runs. `begin` starts it; whoever started it calls `CallGate.done` once. */
export interface GatedCall {
  begin(): void;
}

/** Waiting calls past this are refused; lanes hold one call each, so it bounds the lanes of a thread, not the load. */
const MAX_WAITING = 4096;

/**
 * Keeps the native calls in flight of this JavaScript thread at or below koffi's resident pools; the others wait, first
 * come first served. Every asynchronous native call of the room goes through it.
 */
export class CallGate {
  readonly #maxInFlight: number;
  readonly #maxWaiting: number;
  readonly #waiting: GatedCall[] = [];
  /** Whoever waits to be alone, and the one that is. */
  readonly #loners: (() => void)[] = [];
  #alone = false;
  #inFlight = 0;

  constructor(maxInFlight: number = MAX_CALLS_IN_FLIGHT, maxWaiting: number = MAX_WAITING) {
    this.#maxInFlight = maxInFlight;
    this.#maxWaiting = maxWaiting;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins the call, now or when one in flight is done. Throws `OVERLOADED` where too many wait. */
  enter(call: GatedCall): void {
    if (this.#inFlight < this.#maxInFlight && !this.#alone && this.#loners.length === 0) {
      this.#inFlight++;
      call.begin();
    } else if (this.#waiting.length < this.#maxWaiting) {
      this.#waiting.push(call);
    } else {
      throw new ServingError('OVERLOADED', `${this.#maxWaiting} native calls wait already`);
    }
  }

  /** Takes a waiting call back. False where it began already. */
  withdraw(call: GatedCall): boolean {
    const at = this.#waiting.indexOf(call);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Runs `work` as one call: now, or when it is its turn. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => this.enter({ begin: resolve }));
    try {
      return await work();
    } finally {
      this.done();
    }
  }

  /** A call in flight has returned. */
  done(): void {
    this.#inFlight--;
    this.#next();
  }

  /**
   * Runs `work` when no call is in flight; calls that come meanwhile wait. What `work` calls itself does not go through the
   * gate. Rejects with OVERLOADED where a call in flight does not end within `withinMs`: it must not stop all others.
   */
  async alone<T>(work: () => Promise<T>, withinMs: number): Promise<T> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#loners.splice(this.#loners.indexOf(turn), 1);
        reject(new ServingError('OVERLOADED', `executions in flight did not end within ${withinMs} ms`));
        this.#next();
      }, withinMs);
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#loners.push(turn);
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#alone = false;
      this.#next();
    }
  }

  #next(): void {
    if (this.#alone) return;
    if (this.#loners.length > 0) {
      if (this.#inFlight > 0) return;
      this.#alone = true;
      (this.#loners.shift() as () => void)();
      return;
    }
    while (this.#inFlight < this.#maxInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inFlight++;
      next.begin();
    }
  }
}

/** The gate of this thread: one, because koffi's pools are the thread's. */
export const callGate = new CallGate();

/** Calls in flight and what their arguments point to: see `runs-in-flight.ts` for why. */
const callsInFlight = new Set<object>();

/**
 * Calls a function on a libuv thread and resolves with its result. `owned` is what its arguments point to: it stays
 * reachable until the call has returned, whoever awaits the promise.
 */
export function callOffLoop(fn: NativeFunction, values: readonly (number | string)[], owned: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const record = { fn, values, owned };
    const returned = (error: unknown, result: number) => {
      callsInFlight.delete(record);
      callGate.done();
      if (error) reject(error);
      else resolve(result);
    };
    callGate.enter({
      begin() {
        callsInFlight.add(record);
        try {
          fn.async(...values, returned);
        } catch (error) {
          returned(error, 0);
        }
      },
    });
  });
}
