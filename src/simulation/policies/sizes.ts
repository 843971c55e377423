import type { Load } from '../load.js';

/** The largest batch whose execution alone is within the SLO; at least 1. */
export function rowsInTime(load: Load): number {
  return largest(load, load.sloMs * 1e6);
}

/** The largest batch that is in time also after the wait for the next start; at least 1. */
export function fluidRows(load: Load): number {
  return largest(load, (load.sloMs * 1e6 * load.instances) / (load.instances + 1));
}

function largest({ curve, maxBatchSize }: Load, budgetNs: number): number {
  let rows = 1;
  while (rows < maxBatchSize && curve.meanNs(rows + 1) <= budgetNs) rows++;
  return rows;
}
