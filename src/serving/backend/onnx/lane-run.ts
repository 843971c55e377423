import { type BatchOutcome, type BatchTiming, type Clock, ServingError } from '../../../core/index.js';
import { deviceFaultOf } from './device-faults.js';
import { runFailure } from './run-failure.js';
import type { OrtSession } from './session.js';
import { OrtFailure } from './status.js';

type Settle = (outcome: BatchOutcome) => void;

/** `idle`: may take a batch. `waiting`: filled, its call waits for its turn. `running`: ONNX Runtime has it. */
type Phase = 'idle' | 'waiting' | 'running' | 'settling' | 'closed';

/** The life of a lane's runs, one after the other: each is taken, gathered, perhaps begun, and settled once. */
export class LaneRun {
  readonly #session: OrtSession;
  readonly #clock: Clock;
  #phase: Phase = 'idle';
  /** Whether the present run was told to stop. */
  cancelled = false;
  #settle: Settle = () => {};
  #takenNs = 0;
  #gatheredNs = 0;
  #startedNs = 0;
  #whenIdle: (() => void)[] = [];

  constructor(session: OrtSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** A batch was handed in; false where the lane cannot take it, which is our mistake: then it is settled soon. */
  take(settle: Settle): boolean {
    const takenNs = this.#clock.nowNs();
    if (this.#phase !== 'idle') {
      const error = new ServingError('INTERNAL', 'internal error', { cause: new Error(`the lane is ${this.#phase}`) });
      const timing = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs: takenNs };
      queueMicrotask(() => settle({ kind: 'failed', error, timing }));
      return false;
    }
    this.#phase = 'waiting';
    this.#settle = settle;
    this.#takenNs = takenNs;
    this.cancelled = false;
    return true;
  }

  /** Its inputs lie in the lane, or failed to. */
  gathered(): void {
    this.#gatheredNs = this.#startedNs = this.#clock.nowNs();
  }

  /** ONNX Runtime has it now. */
  begun(): void {
    this.#phase = 'running';
    this.#startedNs = this.#clock.nowNs();
  }

  /** Settles a batch that never reached ONNX Runtime; not before `run` or `cancel` has returned. `before` is called first. */
  failSoon(error: ServingError, before?: () => void): void {
    this.#phase = 'settling';
    queueMicrotask(() => {
      before?.();
      this.finish({ kind: 'failed', error, timing: this.timing(this.#clock.nowNs()) });
    });
  }

  /** What a run that was begun failed with. */
  failed(thrown: unknown, finishedNs: number): void {
    const session = this.#session;
    const fault = session.onGpu && thrown instanceof OrtFailure ? deviceFaultOf(thrown.message) : undefined;
    const error = runFailure(thrown, session, this.cancelled);
    const failed = { kind: 'failed', error, timing: this.timing(finishedNs) } as const;
    this.finish(fault === undefined ? failed : { ...failed, deviceFault: fault });
  }

  finish(outcome: BatchOutcome): void {
    const settle = this.#settle;
    this.#settle = () => {};
    this.#phase = 'settling';
    try {
      settle(outcome);
    } finally {
      // Only now: the outputs are views of the lane until the callback has returned.
      this.#phase = 'idle';
      const waiters = this.#whenIdle;
      this.#whenIdle = [];
      for (const wake of waiters) wake();
    }
  }

  /** Takes no more runs, once the present one is settled. */
  async close(): Promise<void> {
    while (this.#phase !== 'idle') await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#phase = 'closed';
  }

  timing(finishedNs: number): BatchTiming {
    return {
      takenNs: this.#takenNs,
      gatheredNs: this.#gatheredNs,
      startedNs: this.#startedNs,
      finishedNs,
    };
  }
}
