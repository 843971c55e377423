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

/** What a request, a row and an element of an execution cost: of the one booked last, or kept of an earlier one. */
type Rates = Pick<CostBooking, 'requestNs' | 'rowNs' | 'elementNs' | 'pricePerNs'>;

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
    for (const entry of entries) booking.book(entry, partNs(entry, booking));
    metrics.executed(batch.rows, gatheredNs - takenNs, finishedNs - gatheredNs, scatterNs, paddingShare);
    const turns = isFew(entries.length) ? undefined : this.#sources.turns();
    const sinceNs = turns === undefined ? 0 : clock.nowNs();
    let next = 0;
    for (; next < entries.length; next++) {
      if (turns !== undefined && mustLeave(turns, next, 0, sinceNs)) break;
      this.#give(running, outcome, next, parts[next], booking, device, paddingShare);
    }
    if (turns === undefined || next === entries.length) return;
    this.#giveRest(running, outcome, next, parts, device, paddingShare, turns);
  }

  /** The answers that there was no time for: later, or now where the outputs cannot be kept. */
  #giveRest(
    running: RunningBatch,
    outcome: Done,
    from: number,
    parts: readonly (readonly Tensor[] | undefined)[],
    device: number,
    paddingShare: number,
    turns: Turns,
  ): void {
    const { entries } = running;
    const { requestNs, rowNs, elementNs, pricePerNs } = this.#sources.booking;
    const rates: Rates = { requestNs, rowNs, elementNs, pricePerNs };
    const give = (i: number) => this.#give(running, outcome, i, parts[i], rates, device, paddingShare);
    const leases = keepOutputs(outcome.outputs);
    if (leases !== undefined) giveLater(turns, from, entries.length, leases, give);
    else for (let i = from; i < entries.length; i++) give(i);
  }

  #give(
    { entries, batch, number }: RunningBatch,
    { timing }: Done,
    i: number,
    outputs: readonly Tensor[] | undefined,
    rates: Rates,
    device: number,
    paddingShare: number,
  ): void {
    const entry = entries[i] as Entry;
    if (entry.state !== 'running' || outputs === undefined) return;
    const { spec, promised, settlement } = this.#sources;
    const { takenNs, gatheredNs, startedNs, finishedNs } = timing;
    const deviceNs = partNs(entry, rates);
    if (promised)
      entry.account.margin(entry.criticality).answered(batch.rows, finishedNs <= entry.deadlineNs + ROUNDING_NS);
    settlement.finish(entry, {
      kind: 'done',
      outputs,
      execution: number,
      deviceNs,
      cost: rates.pricePerNs === undefined ? undefined : deviceNs * rates.pricePerNs,
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

/** A member's part of its execution's time on the device. */
function partNs({ rows, length }: Entry, { requestNs, rowNs, elementNs }: Rates): number {
  return requestNs + rows * (rowNs + length * elementNs);
}
