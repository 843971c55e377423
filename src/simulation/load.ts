import type { CostCurve } from '../core/index.js';

/** What is simulated: one model on instances that are alike, and what its callers want. */
export interface Load {
  readonly curve: CostCurve;
  readonly instances: number;
  /** A request shall be answered within this from its arrival. */
  readonly sloMs: number;
  readonly maxBatchSize: number;
  /** Execution times vary by this share up and down, evenly; where above 0, one execution in 200 takes twice as long. */
  readonly jitter: number;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * Most requests a second that can be answered in time with steady arrivals, all instances at work and starts spread evenly:
 * the oldest of a batch of b waits L(b)/m for the next start and L(b) for its end. 0 where not even b = 1 is in time.
 */
export function fluidBoundPerSecond({ curve, instances, sloMs, maxBatchSize }: Load): number {
  const budgetNs = (sloMs * 1e6 * instances) / (instances + 1);
  let best = 0;
  for (let rows = 1; rows <= maxBatchSize && curve.meanNs(rows) <= budgetNs * (1 + 1e-9); rows++)
    best = Math.max(best, (instances * rows * 1e9) / curve.meanNs(rows));
  return best;
}
