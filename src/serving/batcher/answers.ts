import {
  type BatchOutcome,
  type Clock,
  deviceNumber,
  type ModelSpec,
  type QueueMetrics,
  type ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { CostBooking } from './cost-booking.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';
import { giveLater, isFew, keepOutputs, mustLeave, type Turns } from './handout.js';
import type { RunningBatch } from './running-batch.js';
import { failedOf, type Settlement } from './settlement.js';
import { splitOutputs } from './split.js';

export interface AnswersSources {
  readonly spec: ModelSpec;
  readonly shapes: ExecutionShapes;
  /** True where requests were promised to be in time: what is kept is learned from. */
  readonly promised: boolean;
  readonly clock: Clock;
  readonly metrics: QueueMetrics;
  readonly settlement: Settlement;
  /** Where executions run that do not say. */
  readonly device: string;
  readonly booking: CostBooking;
  /** Undefined while all members of an execution are to be answered at once. */
  turns(): Turns | undefined;
}

type Done = Extract<BatchOutcome, { kind: 'done' }>;

/** What the members of an execution share in what they are told of it. */
interface Bill {
  readonly requestNs: number;
  readonly rowNs: number;
  readonly elementNs: number;
  readonly pricePerNs: number | undefined;
  readonly device: number;
  readonly paddingShare: number;
}

/** Deadlines and ends of executions are sums of times: this much later is in time. */
const ROUNDING_NS = 1;

/** Hands the members of an execution that ended what is theirs: their rows, or its error. */
export class Answers {
  readonly #sources: AnswersSources;

  constructor(sources: AnswersSources) {
    this.#sources = sources;
  }

  done(running: RunningBatch, outcome: Done): void {
    const { spec, shapes, clock, metrics, booking } = this.#sources;
    const { entries, batch } = running;
    const { takenNs, gatheredNs, startedNs, finishedNs } = outcome.timing;
    const batched = spec.maxBatchSize > 0;
    const paddingShare = shapes.account(batch, entries);
    let parts: readonly (readonly Tensor[] | undefined)[];
    try {
      parts = batched ? splitOutputs(running, outcome.outputs, spec.outputs) : [outcome.outputs];
    } catch (thrown) {
      booking.failed(running);
      this.failed(running, toServingError(thrown));
      return;
    }
    const computeNs = finishedNs - startedNs;
    const device = deviceNumber(running.handle?.device ?? this.#sources.device);
    const scatterNs = Math.max(clock.nowNs() - finishedNs, 0);
    booking.open(running, paddingShare, finishedNs - takenNs, computeNs);
    const { requestNs, rowNs, elementNs, pricePerNs } = booking;
    for (const entry of entries) booking.book(entry, requestNs + entry.rows * (rowNs + entry.length * elementNs));
    metrics.executed(batch.rows, gatheredNs - takenNs, finishedNs - gatheredNs, scatterNs, paddingShare);
    const turns = isFew(entries.length) ? undefined : this.#sources.turns();
    const sinceNs = turns === undefined ? 0 : clock.nowNs();
    let next = 0;
    for (; next < entries.length; next++) {
      if (turns !== undefined && mustLeave(turns, next, 0, sinceNs)) break;
      const { rows, length } = entries[next] as Entry;
      const deviceNs = requestNs + rows * (rowNs + length * elementNs);
      this.#give(running, outcome, next, parts[next], deviceNs, pricePerNs, device, paddingShare);
    }
    if (turns === undefined || next === entries.length) return;
    const bill = { requestNs, rowNs, elementNs, pricePerNs, device, paddingShare };
    this.#giveRest(running, outcome, next, parts, bill, turns);
  }

  /** The answers that there was no time for: later, or now where the outputs cannot be kept. */
  #giveRest(
    running: RunningBatch,
    outcome: Done,
    from: number,
    parts: readonly (readonly Tensor[] | undefined)[],
    { requestNs, rowNs, elementNs, pricePerNs, device, paddingShare }: Bill,
    turns: Turns,
  ): void {
    const { entries } = running;
    const give = (i: number) => {
      const { rows, length } = entries[i] as Entry;
      const deviceNs = requestNs + rows * (rowNs + length * elementNs);
      this.#give(running, outcome, i, parts[i], deviceNs, pricePerNs, device, paddingShare);
    };
    const leases = keepOutputs(outcome.outputs);
    if (leases !== undefined) giveLater(turns, from, entries.length, leases, give);
    else for (let i = from; i < entries.length; i++) give(i);
  }

  #give(
    { entries, batch, number }: RunningBatch,
    { timing }: Done,
    i: number,
    outputs: readonly Tensor[] | undefined,
    deviceNs: number,
    pricePerNs: number | undefined,
    device: number,
    paddingShare: number,
  ): void {
    const entry = entries[i] as Entry;
    if (entry.state !== 'running' || outputs === undefined) return;
    const { spec, promised, settlement } = this.#sources;
    const { takenNs, gatheredNs, startedNs, finishedNs } = timing;
    if (promised)
      entry.account.margin(entry.criticality).answered(batch.rows, finishedNs <= entry.deadlineNs + ROUNDING_NS);
    settlement.finish(entry, {
      kind: 'done',
      outputs,
      execution: number,
      deviceNs,
      cost: pricePerNs === undefined ? undefined : deviceNs * pricePerNs,
      queueNs: Math.max(takenNs - entry.enqueuedNs, 0),
      gatherNs: gatheredNs - takenNs,
      dispatchNs: startedNs - gatheredNs,
      computeNs: finishedNs - startedNs,
      batchRows: spec.maxBatchSize > 0 ? batch.rows : 0,
      batchRequests: entries.length,
      device,
      paddingShare,
      batchFinishedNs: finishedNs,
    });
  }

  failed({ entries }: RunningBatch, error: ServingError): void {
    for (const entry of entries)
      if (entry.state === 'running') this.#sources.settlement.finish(entry, failedOf(entry, error));
  }
}
