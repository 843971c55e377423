import {
  type Batch,
  type BatchOutcome,
  type Clock,
  executedRows,
  type Lane,
  type ModelSpec,
} from '../../../core/index.js';
import { IdentityOutputs } from './identity.js';

/** A lane that waits instead of computing. What it was given it gives back. */
export class TimedLane implements Lane {
  readonly broken = false;
  /** Nanoseconds that the next execution takes, by its rows. */
  readonly #nextNs: (rows: number) => number;
  readonly #clock: Clock;
  readonly #outputs: IdentityOutputs;
  #running = false;
  #onIdle: () => void = () => {};

  constructor(spec: ModelSpec, nextNs: (rows: number) => number, clock: Clock) {
    this.#nextNs = nextNs;
    this.#clock = clock;
    this.#outputs = new IdentityOutputs(spec);
  }

  run(batch: Batch, settle: (outcome: BatchOutcome) => void): void {
    const takenNs = this.#clock.nowNs();
    const outputs = this.#outputs.fill(batch);
    const gatheredNs = this.#clock.nowNs();
    this.#running = true;
    this.#clock.setTimer(takenNs + this.#nextNs(executedRows(batch)), () => {
      this.#running = false;
      const timing = { takenNs, gatheredNs, startedNs: gatheredNs, finishedNs: this.#clock.nowNs() };
      settle({ kind: 'done', outputs, timing });
      this.#onIdle();
    });
  }

  /** A kernel that runs on a device cannot be stopped either: the rest of its time passes. */
  cancel(): void {}

  close(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
