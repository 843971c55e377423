import type { CostCurve } from '../../core/index.js';
import { rowsWithin } from './batch-size.js';
import { instanceFreeNs } from './in-flight.js';

/** What the forecast looks at. */
export interface Backlog {
  readonly curve: CostCurve;
  readonly mostRows: number;
  /** Share by which the rows are overstated, because the forecast proved too bright (`AdmissionMargin`). */
  readonly margin: number;
  /** The earliest deadline among those that wait. */
  readonly tightestNs: number;
  readonly instances: number;
  readonly freeSlots: number;
  readonly busyUntilNs: readonly number[];
}

/** When each instance is free again, while one forecast is made. */
const freeAtNs: number[] = [];

/** Starts that are looked at one by one; what lies beyond is taken to move on at the full rate. */
const STARTS_AT_MOST = 16;

/**
 * When a newcomer of `rows` rows, before which `rowsAhead` are served, could be answered, if it were answered in time: undefined where it can, by `deadlineNs`;
 * else the instant at which the line will have moved far enough to take it. It errs on the side of taking: a newcomer is
 * refused only where not even full instances and nobody else's bad luck would save it. Cost: linear in the instances.
 */
export function cannotMeet(
  backlog: Backlog,
  rowsAhead: number,
  rows: number,
  deadlineNs: number,
  nowNs: number,
): number | undefined {
  const { curve, instances, freeSlots, busyUntilNs, mostRows } = backlog;
  let wanted = (rowsAhead + rows) * (1 + backlog.margin);
  const full = curve.meanNs(mostRows);
  // A head that leaves little time can be given up: while the forecast is trusted, that makes room and keeps nobody out.
  const headsBind = rowsAhead > 0 && backlog.margin > 0;
  let nextNs = nowNs;
  for (let start = 0; start < STARTS_AT_MOST; start++) {
    const instance = start % instances;
    if (start < instances) freeAtNs[instance] = instanceFreeNs(instance, freeSlots, busyUntilNs, nowNs);
    nextNs = freeAtNs[instance] as number;
    const wantedByNs = start === 0 && headsBind ? Math.min(backlog.tightestNs, deadlineNs) : deadlineNs;
    const room = rowsWithin(curve, wantedByNs - nextNs, mostRows);
    if (room === 0 && wantedByNs === deadlineNs) return Math.max(nextNs, nowNs);
    wanted -= room;
    if (wanted <= 0) return undefined;
    freeAtNs[instance] = nextNs + (room === 0 ? 0 : curve.meanNs(room));
  }
  const restNs = (wanted / mostRows) * (full / instances);
  return nextNs + restNs + curve.upperNs(rows) <= deadlineNs ? undefined : nextNs + restNs;
}
