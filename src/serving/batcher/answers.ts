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
}

/** Deadlines and ends of executions are sums of times: this much later is in time. */
const ROUNDING_NS = 1;

/** Hands the members of an execution that ended what is theirs: their rows, or its error. */
export class Answers {
  readonly #sources: AnswersSources;

  constructor(sources: AnswersSources) {
    this.#sources = sources;
  }

  done(running: RunningBatch, outcome: Extract<BatchOutcome, { kind: 'done' }>): void {
    const { spec, shapes, promised, clock, metrics, settlement, booking } = this.#sources;
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
    metrics.executed(batch.rows, gatheredNs - takenNs, finishedNs - gatheredNs, scatterNs, paddingShare);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const outputs = parts[i];
      const deviceNs = requestNs + entry.rows * (rowNs + entry.length * elementNs);
      booking.book(entry, deviceNs);
      if (entry.state !== 'running' || outputs === undefined) continue;
      if (promised)
        entry.account.margin(entry.criticality).answered(batch.rows, finishedNs <= entry.deadlineNs + ROUNDING_NS);
      settlement.finish(entry, {
        kind: 'done',
        outputs,
        execution: running.number,
        deviceNs,
        cost: pricePerNs === undefined ? undefined : deviceNs * pricePerNs,
        queueNs: Math.max(takenNs - entry.enqueuedNs, 0),
        gatherNs: gatheredNs - takenNs,
        dispatchNs: startedNs - gatheredNs,
        computeNs,
        batchRows: batched ? batch.rows : 0,
        batchRequests: entries.length,
        device,
        paddingShare,
        batchFinishedNs: finishedNs,
      });
    }
  }

  failed({ entries }: RunningBatch, error: ServingError): void {
    for (const entry of entries)
      if (entry.state === 'running') this.#sources.settlement.finish(entry, failedOf(entry, error));
  }
}
