import {
  type Batch,
  type BatchOutcome,
  type Clock,
  type Executor,
  type ModelSpec,
  type ServingError,
  toServingError,
} from '../../core/index.js';
import type { Answers } from './answers.js';
import type { CostBooking } from './cost-booking.js';
import type { CostUse } from './cost-use.js';
import type { DecisionLog } from './decision-log.js';
import type { DrainRate } from './drain-rate.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { FairShares } from './fair-shares.js';
import type { InFlight } from './in-flight.js';
import { Isolation, mayBeData, type Part } from './isolation.js';
import type { LineView } from './line-view.js';
import { RunningBatch } from './running-batch.js';
import type { WaitList } from './wait-list.js';

/** Around answers, so that requests that come of them are looked at together. */
export interface Together {
  /** What `end` is to be given. */
  begin(): boolean;
  end(within: boolean): void;
}

export interface ExecutionsSources {
  readonly spec: ModelSpec;
  readonly executor: Executor;
  readonly waiting: WaitList;
  readonly view: LineView;
  readonly log: DecisionLog;
  readonly inFlight: InFlight;
  readonly rate: DrainRate;
  readonly shapes: ExecutionShapes;
  readonly costs: CostUse;
  readonly shares: FairShares;
  readonly booking: CostBooking;
  readonly answers: Answers;
  /** False: a batch that fails is not run again in parts. */
  readonly repeatable: boolean;
  readonly clock: Clock;
  readonly together: Together;
  /** A slot may be of use. */
  readonly pump: () => void;
}

/**
 * Executions from their start to the answers of their members; and the halves of those that failed, which run before anything
 * that waits: their requests waited already.
 */
export class Executions {
  readonly #sources: ExecutionsSources;
  readonly #parts: Part[] = [];
  #running = 0;
  /** Begun so far. */
  #begun = 0;

  constructor(sources: ExecutionsSources) {
    this.#sources = sources;
  }

  /** Those in flight. */
  get running(): number {
    return this.#running;
  }

  get hasParts(): boolean {
    return this.#parts.length > 0;
  }

  /** Takes back all parts that wait. */
  takeParts(): Entry[] {
    return this.#parts.splice(0).flatMap(({ entries }) => entries);
  }

  /** Runs the next part that waits, or what is left of it. */
  runPart(nowNs: number): void {
    const part = this.#parts.shift();
    const left = part?.entries.filter((entry) => entry.state === 'running') ?? [];
    if (left.length === 0) return;
    const { log, waiting, executor } = this.#sources;
    const why = 'its batch failed: in halves, to find whose data it was';
    log.add(nowNs, 'run', why, rowsOf(left), waiting.size, executor.freeSlots());
    this.start(left, nowNs, part?.isolation);
  }

  /** Runs `entries` as one execution. A slot is free. */
  start(entries: readonly Entry[], nowNs: number, isolation?: Isolation): void {
    const { spec, executor, shapes, costs, inFlight, view, answers } = this.#sources;
    const rows = rowsOf(entries);
    const batch: Batch = { version: spec.id, ...shapes.partsOf(entries, rows) };
    const expectedNs = costs.expectedNs(shapes.executionClass(batch, entries), rows);
    const running = new RunningBatch(++this.#begun, batch, entries, nowNs + expectedNs, isolation);
    for (const entry of entries) {
      entry.batch = running;
      entry.execution = running.number;
      entry.begunNs = nowNs;
    }
    this.#running++;
    inFlight.add(running.endsNs);
    view.lastStartNs = nowNs;
    view.starts++;
    try {
      running.handle = executor.execute(batch, (outcome) => this.#ended(running, outcome));
    } catch (thrown) {
      this.#left(running);
      answers.failed(running, toServingError(thrown));
    }
  }

  #left(running: RunningBatch): void {
    running.ended = true;
    this.#running--;
    this.#sources.inFlight.remove(running.endsNs);
  }

  #ended(running: RunningBatch, outcome: BatchOutcome): void {
    this.#left(running);
    const { rate, waiting, costs, shapes, shares, answers, together } = this.#sources;
    const { takenNs, finishedNs } = outcome.timing;
    rate.ended(running.entries.length, takenNs, finishedNs, this.#running > 0 || waiting.size > 0);
    const within = together.begin();
    try {
      if (outcome.kind === 'failed') this.#failed(running, outcome.error, outcome.deviceFault !== undefined);
      else {
        running.isolation?.succeeded();
        costs.ended(running, shapes.ended(running, finishedNs - takenNs), takenNs, finishedNs);
        shares.observe(running.entries, running.batch.rows, finishedNs - takenNs);
        answers.done(running, outcome);
      }
    } finally {
      together.end(within);
    }
  }

  /** Gives answers that are left when the event loop has turned. */
  answerLater(more: () => void): void {
    const { clock, together } = this.#sources;
    clock.setTimer(clock.nowNs(), () => {
      const within = together.begin();
      try {
        more();
      } finally {
        together.end(within);
      }
    });
  }

  /** A failed batch is run again in halves where one request's data may be to blame, not the device; else all fail. */
  #failed(running: RunningBatch, error: ServingError, ofDevice: boolean): void {
    const { booking, repeatable, answers, pump } = this.#sources;
    booking.failed(running);
    const left = running.entries.filter((entry) => entry.state === 'running');
    if (repeatable && mayBeData(error) && !ofDevice && (left.length > 1 || running.isolation !== undefined)) {
      const isolation = running.isolation ?? new Isolation(left.length);
      const parts = isolation.parts(left);
      if (parts.length > 0) {
        for (const entry of left) entry.batch = undefined;
        for (const entries of parts) this.#parts.push({ entries, isolation });
        pump();
        return;
      }
    }
    answers.failed(running, error);
  }
}

export function rowsOf(entries: readonly Entry[]): number {
  let rows = 0;
  for (const entry of entries) rows += entry.rows;
  return rows;
}
