import { callGate, type GatedCall } from '../call-gate.js';
import type { Address } from '../native-memory.js';
import type { Carrier, RunCall } from './run-call.js';
import type { RunThread } from './run-thread.js';

/**
 * Carries runs of a GPU's session on a run thread, through the call gate: while a CUDA graph is captured nothing else of this
 * process may use a GPU, and the gate is where that is seen to.
 */
export class GatedThreadCarrier implements Carrier, RunCall, GatedCall {
  readonly #call: RunCall;
  readonly #thread: () => RunThread;
  #started: RunThread | undefined;

  /** `thread`: the one to use now. */
  constructor(call: RunCall, thread: () => RunThread) {
    this.#call = call;
    this.#thread = thread;
  }

  get values(): Float64Array {
    return this.#call.values;
  }

  start(): void {
    this.#started = undefined;
    callGate.enter(this);
  }

  begin(): void {
    this.#started = this.#thread();
    this.#started.run(this);
  }

  withdraw(): boolean {
    if (callGate.withdraw(this)) return true;
    if (this.#started?.withdraw(this) !== true) return false;
    callGate.done();
    return true;
  }

  begun(): void {
    this.#call.begun();
  }

  returned(error: unknown, status: Address, computeNs: number): void {
    callGate.done();
    this.#call.returned(error, status, computeNs);
  }
}
