import {
  type Batch,
  type BatchHandle,
  type BatchOutcome,
  type Clock,
  type CostCurve,
  type Executor,
  jittered,
} from '../core/index.js';
import type { Random } from './load.js';

/** Instances on a clock that compute nothing: an execution takes the curve's time, varied by `jitter`. */
export class SimulatedExecutor implements Executor {
  onSlotFree: () => void = () => {};
  /** Told of every execution that ended, and how long it took. */
  onEnded: (batch: Batch, sinceStartMs: number) => void = () => {};
  readonly #clock: Clock;
  readonly #curve: CostCurve;
  readonly #instances: number;
  readonly #jitter: number;
  readonly #random: Random;
  #busy = 0;
  #executions = 0;

  constructor(clock: Clock, curve: CostCurve, instances: number, jitter: number, random: Random) {
    this.#clock = clock;
    this.#curve = curve;
    this.#instances = instances;
    this.#jitter = jitter;
    this.#random = random;
  }

  get executions(): number {
    return this.#executions;
  }

  freeSlots(): number {
    return this.#instances - this.#busy;
  }

  slots(): number {
    return this.#instances;
  }

  execute(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    if (this.#busy === this.#instances) throw new Error('no slot is free');
    this.#busy++;
    this.#executions++;
    const takenNs = this.#clock.nowNs();
    this.#clock.setTimer(takenNs + jittered(this.#curve.meanNs(batch.rows), this.#jitter, this.#random), () => {
      this.#busy--;
      this.onSlotFree();
      const timing = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs: this.#clock.nowNs() };
      settle({ kind: 'done', outputs: [], timing });
      this.onEnded(batch, (timing.finishedNs - takenNs) / 1e6);
    });
    // It cannot be stopped: the rest of its time passes.
    return { cancel: () => {} };
  }
}
