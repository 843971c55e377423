import type { CostCurve } from '../../core/index.js';

/** The most rows, up to `most`, whose execution ends within `budgetNs` by the upper quantile; 0 where not even one does. */
export function rowsWithin(curve: CostCurve, budgetNs: number, most: number): number {
  if (curve.rowsWithin !== undefined) return curve.rowsWithin(budgetNs, most);
  return curve.upperNs(1) <= budgetNs ? searchRows(curve, budgetNs, 1, most) : 0;
}

/**
 * The largest size whose requests are answered within `withinNs` for as long as they come: each waits for a start, at most one
 * distance of starts of `instances` that are spread evenly, and runs then. 0 where not even one row is in time.
 */
export function rowsSustained(curve: CostCurve, withinNs: number, instances: number, most: number): number {
  return rowsWithin(curve, (withinNs * instances) / (instances + 1), most);
}

/** `rowsWithin`, known to be from `low` to `high`. */
export function searchRows(curve: CostCurve, budgetNs: number, low: number, high: number): number {
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (curve.upperNs(middle) <= budgetNs) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A larger batch must give this much more rows a second to be worth the longer wait of its members. */
const WORTH_IT = 1.02;

/** Of shorter executions what is measured is mostly their hand-over, which larger batches share: they always pay. */
const SHORT_NS = 500e3;

/**
 * The most rows of an execution that pay: the smallest size that comes near the highest rate of rows. Sizes are tried in
 * steps of a half and a third, which is as fine as a measured curve is exact.
 */
export function rowsThatPay(curve: CostCurve, most: number): number {
  if (curve.meanNs(1) < SHORT_NS) return most;
  let best = 1;
  let bestRate = 1 / curve.meanNs(1);
  for (let rows = 2, step = 0; rows < most; step++, rows = step % 2 === 0 ? (rows * 4) / 3 : rows * 1.5) {
    const size = Math.round(rows);
    const rate = size / curve.meanNs(size);
    if (rate > bestRate * WORTH_IT) {
      best = size;
      bestRate = rate;
    }
  }
  return most / curve.meanNs(most) > bestRate * WORTH_IT ? most : best;
}

/**
 * The most of `rows` waiting rows to start now, where `paying` is the best size: more than that size only where it ends
 * sooner than two executions one after the other would.
 */
export function rowsToStart(curve: CostCurve, rows: number, paying: number, most: number): number {
  if (rows <= paying) return rows;
  const whole = Math.min(rows, most);
  const left = whole - paying;
  if (left <= paying && curve.meanNs(whole) <= curve.meanNs(paying) + curve.meanNs(left)) return whole;
  return paying;
}

/** Surplus of service over arrivals that is planned for; below 1, as a batch is mostly larger than the plan's. */
const HEADROOM = 0.706;

/** The smallest size at which `instances` keep up with `rowsPerNs`, at most `most`. */
export function rowsToKeepUp(curve: CostCurve, rowsPerNs: number, instances: number, most: number): number {
  const wanted = HEADROOM * rowsPerNs;
  let low = 1;
  let high = most;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (instances * middle >= wanted * curve.meanNs(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
