import type { BatchPolicy, CostCurve, CurveReport, Executor, SchedulerReport } from '../../core/index.js';
import type { DecisionLog } from './decision-log.js';
import type { LineView } from './line-view.js';

export interface ReportSources {
  readonly batching: BatchPolicy;
  readonly view: LineView;
  readonly executor: Executor;
  readonly log: DecisionLog;
}

export interface ReportState {
  readonly running: number;
  readonly waiting: number;
  /** Somebody has, or had, a deadline. */
  readonly planning: boolean;
  readonly idleBecause: string | undefined;
  /** Key of the requests whose curve is shown. */
  readonly key: string;
}

/** What a scheduler does and why, as people are shown it. */
export function report(sources: ReportSources, state: ReportState, nowNs: number): SchedulerReport {
  const { batching, view, executor, log } = sources;
  const { key, planning, ...told } = state;
  const curve = view.curveOf(key);
  return {
    policy: curve !== undefined && planning ? 'deadlines' : 'knobs',
    sloMs: batching.sloMs,
    ...told,
    slots: executor.slots(),
    freeSlots: executor.freeSlots(),
    arrivalsPerSecond: view.arrivalsPerSecond(nowNs),
    curve: curve && curveReport(curve, Math.max(batching.maxBatchSize, 1), view.mostRows),
    recent: log.records(nowNs),
  };
}

function curveReport(curve: CostCurve, most: number, payingRows: number): CurveReport {
  const rows: number[] = [];
  for (let size = 1; size < most; size *= 2) rows.push(size);
  rows.push(most);
  const inMs = (ns: number) => Math.round(ns / 1e3) / 1e3;
  return {
    rows,
    meanMs: rows.map((size) => inMs(curve.meanNs(size))),
    upperMs: rows.map((size) => inMs(curve.upperNs(size))),
    payingRows,
  };
}
