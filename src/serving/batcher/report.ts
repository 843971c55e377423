import {
  type BatchPolicy,
  type CostCurve,
  CRITICALITIES,
  type CriticalityReport,
  type CurveReport,
  type Executor,
  type SchedulerReport,
  type TenantReport,
} from '../../core/index.js';
import type { DecisionLog } from './decision-log.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { FairShares } from './fair-shares.js';
import type { LineView } from './line-view.js';

export interface ReportSources {
  readonly batching: BatchPolicy;
  readonly view: LineView;
  readonly executor: Executor;
  readonly log: DecisionLog;
  readonly shapes: ExecutionShapes;
  readonly shares: FairShares;
}

export interface ReportState {
  readonly running: number;
  readonly waiting: number;
  /** Somebody has, or had, a deadline. */
  readonly planning: boolean;
  readonly idleBecause: string | undefined;
  /** Class of shapes whose curve is shown. */
  readonly costClass: string;
}

/** What a scheduler does and why, as people are shown it. */
export function report(sources: ReportSources, state: ReportState, nowNs: number): SchedulerReport {
  const { batching, view, executor, log, shares, shapes } = sources;
  const { costClass, planning, ...told } = state;
  const curve = view.curveOf(costClass);
  return {
    policy: curve !== undefined && planning ? 'deadlines' : 'knobs',
    sloMs: batching.sloMs,
    ...told,
    slots: executor.slots(),
    freeSlots: executor.freeSlots(),
    arrivalsPerSecond: view.arrivalsPerSecond(nowNs),
    paddingShare: shapes.paddingShare,
    tenants: tenantReports(shares),
    criticality: criticalityReports(shares),
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

const TENANTS_SHOWN = 32;

function tenantReports(shares: FairShares): TenantReport[] {
  let weights = 0;
  for (const { tenant } of shares.active) weights += tenant.weight;
  return [...shares.all()]
    .filter(({ waiting, started, refused }) => waiting + sum(started) + sum(refused) > 0)
    .sort((a, b) => b.waiting - a.waiting || b.deviceNs - a.deviceNs)
    .slice(0, TENANTS_SHOWN)
    .map(({ tenant: { name, weight }, waiting, started, refused, deviceNs }) => ({
      name,
      weight,
      share: waiting === 0 ? 0 : weight / weights,
      waiting,
      started: sum(started),
      refused: sum(refused),
      deviceMs: deviceNs / 1e6,
    }));
}

function criticalityReports(shares: FairShares): CriticalityReport[] {
  const counts = CRITICALITIES.map((level) => ({ level, started: 0, refused: 0 }));
  for (const { started, refused } of shares.all())
    counts.forEach((count, level) => {
      count.started += started[level] as number;
      count.refused += refused[level] as number;
    });
  return counts.filter(({ started, refused }) => started + refused > 0);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}
