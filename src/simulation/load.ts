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

/** The time `L(b) = a + c b`, in milliseconds; planned with `1 + margin` of it. */
export function linearCurve(aMs: number, cMs: number, margin = 0): CostCurve {
  const meanNs = (rows: number) => (aMs + cMs * rows) * 1e6;
  return { meanNs, upperNs: (rows) => meanNs(rows) * (1 + margin) };
}

/** A measured curve: milliseconds by rows, straight lines between; beyond the last point as between the last two. */
export function measuredCurve(points: readonly (readonly [rows: number, ms: number])[], margin = 0): CostCurve {
  const sorted = [...points].sort(([a], [b]) => a - b);
  const [first] = sorted;
  if (first === undefined) throw new Error('a measured curve needs a point');
  const at = (rows: number): number => {
    if (sorted.length === 1 || rows <= first[0]) return first[1];
    let i = 1;
    while (i < sorted.length - 1 && (sorted[i] as readonly [number, number])[0] < rows) i++;
    const [lowRows, lowMs] = sorted[i - 1] as readonly [number, number];
    const [highRows, highMs] = sorted[i] as readonly [number, number];
    return lowMs + ((highMs - lowMs) * (rows - lowRows)) / (highRows - lowRows);
  };
  // Non-decreasing, as a curve has to be: a measured dip is noise.
  const most = (sorted.at(-1) as readonly [number, number])[0];
  const table = new Float64Array(most + 1);
  for (let rows = 1; rows <= most; rows++) table[rows] = Math.max(at(rows), table[rows - 1] as number);
  const meanNs = (rows: number) =>
    (rows <= most ? (table[rows] as number) : Math.max(at(rows), table[most] as number)) * 1e6;
  return { meanNs, upperNs: (rows) => meanNs(rows) * (1 + margin) };
}

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
