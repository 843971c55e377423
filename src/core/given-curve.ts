import type { CostCurve } from './cost-model.js';

/** A curve as people write it. */
export type GivenCurve =
  /** `a,c`: a + c for each row, in ms. */
  | { readonly kind: 'linear'; readonly aMs: number; readonly cMs: number }
  /** `ROWS:MS,...`: measured points. */
  | { readonly kind: 'measured'; readonly points: readonly (readonly [rows: number, ms: number])[] };

/** What a curve is to look like, for messages. */
export const CURVE_FORMS = 'a,c in ms (e.g. 4,0.3), or ROWS:MS,... (e.g. 1:4.3,8:6.4)';

const MOST_ROWS = 1_000_000;

/** Reads a curve; undefined where the text is none (see `CURVE_FORMS`). */
export function readCurve(text: string): GivenCurve | undefined {
  const words = text.trim().split(',');
  if (words.every((word) => /^\d+:[\d.]+$/.test(word))) {
    const points = words.map((word) => word.split(':').map(Number) as [number, number]);
    const valid = points.every(([rows, ms]) => rows >= 1 && rows <= MOST_ROWS && ms > 0 && Number.isFinite(ms));
    return valid ? { kind: 'measured', points } : undefined;
  }
  const [aMs, cMs] = words.map((word) => (word.trim() === '' ? Number.NaN : Number(word)));
  if (words.length !== 2 || aMs === undefined || cMs === undefined) return undefined;
  return aMs >= 0 && cMs >= 0 && aMs + cMs > 0 && aMs + cMs < Number.POSITIVE_INFINITY
    ? { kind: 'linear', aMs, cMs }
    : undefined;
}

/** The curve itself; planned with `1 + margin` of it. */
export function curveOf(given: GivenCurve, margin = 0): CostCurve {
  return given.kind === 'linear' ? linearCurve(given.aMs, given.cMs, margin) : measuredCurve(given.points, margin);
}

/** The time `L(b) = a + c b`, in milliseconds; planned with `1 + margin` of it. */
export function linearCurve(aMs: number, cMs: number, margin = 0): CostCurve {
  const meanNs = (rows: number) => (aMs + cMs * rows) * 1e6;
  return { meanNs, upperNs: (rows) => meanNs(rows) * (1 + margin) };
}

const OUTLIER_SHARE = 1 / 200;
const OUTLIER_FACTOR = 2;

/**
 * A time varied by up to `jitter` of it, evenly, and one in 200 twice as long; as it is where `jitter` is 0. `random` is
 * uniform in [0, 1).
 */
export function jittered(ns: number, jitter: number, random: () => number): number {
  if (jitter === 0) return ns;
  const varied = ns * (1 + jitter * (2 * random() - 1));
  return random() < OUTLIER_SHARE ? varied * OUTLIER_FACTOR : varied;
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
