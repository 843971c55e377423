import {
  type Batch,
  type BatchHandle,
  type BatchOutcome,
  type Clock,
  type ClockTimer,
  type Executor,
  ServingError,
  type Tensor,
} from '../../src/core/index.js';
import { echo } from './fake-executor.js';

interface Job {
  leftNs: number;
  end: () => void;
}

/** A processor on a virtual clock: so many cores, shared evenly by whatever runs at once. */
export class SharedCores {
  readonly #clock: Clock;
  readonly #cores: number;
  readonly #jobs = new Set<Job>();
  #sinceNs = 0;
  #timer: ClockTimer | undefined;

  constructor(clock: Clock, cores: number) {
    this.#clock = clock;
    this.#cores = cores;
  }

  /** An executor of so many slots, each execution `workNs` of one core; one that is cancelled goes on for `nodeNs` at most. */
  executor(slots: number, workNs: number, nodeNs: number): Executor {
    let busy = 0;
    const executor: Executor = {
      onSlotFree: () => {},
      freeSlots: () => slots - busy,
      slots: () => slots,
      execute: (batch, settle) => {
        busy++;
        return this.#run(batch, workNs, nodeNs, (outcome) => {
          busy--;
          executor.onSlotFree();
          settle(outcome);
        });
      },
    };
    return executor;
  }

  #run(batch: Batch, workNs: number, nodeNs: number, settle: (outcome: BatchOutcome) => void): BatchHandle {
    const takenNs = this.#clock.nowNs();
    let cancelled = false;
    const job: Job = {
      leftNs: workNs,
      end: () => {
        const timing = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs: this.#clock.nowNs() };
        const error = new ServingError('CLIENT_CANCELLED', 'stopped');
        settle(
          cancelled ? { kind: 'failed', error, timing } : { kind: 'done', outputs: echo(batch) as Tensor[], timing },
        );
      },
    };
    this.#change(() => this.#jobs.add(job));
    return {
      cancel: () => {
        cancelled = true;
        this.#change(() => {
          job.leftNs = Math.min(job.leftNs, nodeNs);
        });
      },
    };
  }

  /** Counts what was done until now, changes who runs, and waits for the next that ends. */
  #change(change: () => void): void {
    const nowNs = this.#clock.nowNs();
    const doneNs = (nowNs - this.#sinceNs) * this.#speed;
    for (const job of this.#jobs) job.leftNs -= doneNs;
    this.#sinceNs = nowNs;
    change();
    this.#timer?.clear();
    let first: Job | undefined;
    for (const job of this.#jobs) if (first === undefined || job.leftNs < first.leftNs) first = job;
    if (first === undefined) return;
    const next = first;
    this.#timer = this.#clock.setTimer(nowNs + Math.max(next.leftNs, 0) / this.#speed, () => {
      this.#change(() => this.#jobs.delete(next));
      next.end();
    });
  }

  get #speed(): number {
    return this.#jobs.size === 0 ? 1 : Math.min(1, this.#cores / this.#jobs.size);
  }
}
