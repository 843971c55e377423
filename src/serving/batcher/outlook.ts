import type { Executor, ModelSpec, QueueOutlook } from '../../core/index.js';
import type { ArrivalRate } from './arrival-rate.js';
import type { DrainRate } from './drain-rate.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { InFlight } from './in-flight.js';
import type { LineView } from './line-view.js';
import { newcomerFinishNs } from './newcomer-finish.js';
import type { WaitList } from './wait-list.js';

export interface OutlookSources {
  readonly spec: ModelSpec;
  readonly executor: Executor;
  /** Executions that run. Not asked of the executor: to ask it for free slots may clear them of copies of requests. */
  readonly running: number;
  readonly inFlight: InFlight;
  readonly arrivals: ArrivalRate;
  readonly view: LineView;
  readonly waiting: WaitList;
  readonly shapes: ExecutionShapes;
  readonly rate: DrainRate;
}

/** How the line stands, and what a request that came now had to expect. */
export function outlook(sources: OutlookSources, nowNs: number): QueueOutlook {
  const { spec, executor, running, inFlight, arrivals, view, waiting, shapes, rate } = sources;
  const head = waiting.head();
  const curve = view.curveOf(head === undefined ? shapes.lastClass : shapes.costClass(head.item));
  const slots = executor.slots();
  const busySlots = Math.min(running, slots);
  const busyUntilNs: number[] = [];
  inFlight.latest(running, busyUntilNs);
  const line = { mostRows: 1, instances: Math.max(slots, 1), freeSlots: slots - busySlots, busyUntilNs };
  if (spec.batching.dynamic) line.mostRows = Math.max(view.mostRows, 1);
  const ahead = waiting.rowsUpTo(Number.POSITIVE_INFINITY);
  return {
    id: spec.id,
    slots,
    busySlots,
    waitedMs: head === undefined ? 0 : Math.max(nowNs - head.enqueuedNs, 0) / 1e6,
    answerInMs:
      curve === undefined
        ? rate.msUntil(waiting.size + 1)
        : (newcomerFinishNs({ ...line, curve }, ahead, 1, nowNs) - nowNs) / 1e6,
    arrivalsPerSecond: arrivals.rowsPerNs(nowNs) * 1e9,
  };
}
