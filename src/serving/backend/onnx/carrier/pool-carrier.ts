import { type CallGate, callGate, type GatedCall } from '../call-gate.js';
import type { NativeFunction } from '../library.js';
import type { Address } from '../native-memory.js';
import type { Carrier, RunCall } from './run-call.js';

/**
 * Carries runs on libuv's pool: no memory and no start of its own, but the pool is fixed in size and shared with files,
 * compression and loads, first come first served.
 */
export class PoolCarrier implements Carrier, GatedCall {
  readonly #call: RunCall;
  readonly #run: NativeFunction;
  readonly #gate: CallGate;
  #begunMs = 0;
  readonly #onReturn = (error: unknown, status: Address) => {
    this.#gate.done();
    this.#call.returned(error, status, (performance.now() - this.#begunMs) * 1e6);
  };

  constructor(call: RunCall, run: NativeFunction, gate: CallGate = callGate) {
    this.#call = call;
    this.#run = run;
    this.#gate = gate;
  }

  start(): void {
    this.#gate.enter(this);
  }

  withdraw(): boolean {
    return this.#gate.withdraw(this);
  }

  /** Called by the gate when it is this run's turn. */
  begin(): void {
    const { values: v } = this.#call;
    this.#call.begun();
    this.#begunMs = performance.now();
    try {
      this.#run.async(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], this.#onReturn);
    } catch (error) {
      // The call never began: koffi could not take it.
      queueMicrotask(() => this.#onReturn(error, 0));
    }
  }
}
