import type { Address } from '../native-memory.js';

/** Arguments of ONNX Runtime's `Run`, in the order of its signature: eight addresses and counts. */
export const RUN_ARGUMENTS = 8;

/** One run, as whoever carries it sees it. The lane behind it owns everything that the arguments point to. */
export interface RunCall {
  /** Not written to from `start` until `returned`. */
  readonly values: Float64Array;
  /** The native call begins now. */
  begun(): void;
  /**
   * The native call has returned, or will never be made; once for each `start` that was not withdrawn, never before
   * `start` has returned. `error`: it was not made, or what carried it died; else `status` is what it returned.
   * `computeNs`: how long the call itself took, where the carrier can see it; else from `begun` on, hops included.
   */
  returned(error: unknown, status: Address, computeNs: number): void;
}

/** Carries the runs of one lane in one way. One run at a time. */
export interface Carrier {
  /** Throws `OVERLOADED` where too many wait. */
  start(): void;
  /** Takes back a run that waits. False where it began already. */
  withdraw(): boolean;
}
