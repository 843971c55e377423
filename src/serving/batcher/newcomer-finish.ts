import type { CostCurve } from '../../core/index.js';
import { instanceFreeNs } from './in-flight.js';

/** What the forecast looks at. */
export interface LineAhead {
  readonly curve: CostCurve;
  /** Most rows of an execution that pay. */
  readonly mostRows: number;
  readonly instances: number;
  readonly freeSlots: number;
  /** When the executions in flight are expected to end; may lie in the past. */
  readonly busyUntilNs: readonly number[];
}

/** Executions that are followed one by one; what lies beyond is taken to go at the full rate. */
const FOLLOWED_AT_MOST = 64;

/**
 * When a request of `rows` rows that came at `nowNs`, behind `rowsAhead`, is expected to be answered, where every execution
 * takes what pays and nobody comes before it. Cost: linear in the instances times the executions that are followed.
 */
export function newcomerFinishNs(line: LineAhead, rowsAhead: number, rows: number, nowNs: number): number {
  const { curve, mostRows, freeSlots, busyUntilNs } = line;
  const instances = Math.max(line.instances, 1);
  const freeAtNs = Array.from({ length: instances }, (_, i) => instanceFreeNs(i, freeSlots, busyUntilNs, nowNs));
  let left = rowsAhead + rows;
  for (let n = 0; n < FOLLOWED_AT_MOST; n++) {
    const next = freeAtNs.indexOf(Math.min(...freeAtNs));
    const taken = Math.min(left, mostRows);
    const endNs = (freeAtNs[next] as number) + curve.meanNs(Math.max(taken, 1));
    left -= taken;
    if (left <= 0) return endNs;
    freeAtNs[next] = endNs;
  }
  const full = curve.meanNs(mostRows);
  return Math.min(...freeAtNs) + ((left / mostRows) * full) / instances + full;
}
