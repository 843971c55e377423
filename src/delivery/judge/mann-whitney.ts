import { normalQuantile, normalTail } from '../statistics/normal-law.js';
import type { Bounds } from '../statistics/proportion-sequence.js';

/** How far one sample is shifted against another. */
export interface Shift {
  /** Two-sided, of no shift. */
  readonly pValue: number;
  /** Hodges and Lehmann: median of all differences. */
  readonly estimate: number;
  readonly interval: Bounds;
}

/** R takes the exact law of the rank sum below so many values in each sample, where there are no ties. */
const EXACT_BELOW = 50;

/**
 * Mann-Whitney test of the experiment against the control, as R's `wilcox.test`: p exact for small samples without ties, else by
 * the normal law with corrections for ties and continuity; the interval by the latter, as Kayenta has it. Both samples hold at
 * least one finite value.
 */
export function mannWhitney(control: readonly number[], experiment: readonly number[], confidence: number): Shift {
  const [x, y] = [experiment.toSorted((a, b) => a - b), control.toSorted((a, b) => a - b)];
  const [least, most] = [first(x) - last(y), last(x) - first(y)];
  const quantile = normalQuantile((1 - confidence) / 2);
  const bound = (z: number): number => {
    if (least === most || shiftedZ(x, y, least) - z <= 0) return least;
    if (shiftedZ(x, y, most) - z >= 0) return most;
    return step(least, most, (shift) => shiftedZ(x, y, shift) > z);
  };
  return {
    pValue: pValue(x, y),
    estimate: hodgesLehmann(x, y, least, most),
    interval: { lower: bound(quantile), upper: least === most ? most : bound(-quantile) },
  };
}

/** Pairs in which x less the shift is above y, ties half, and the sum of t^3 - t over ties of t values. Both are sorted. */
function pairs(x: readonly number[], y: readonly number[], shift: number): { above: number; ties: number } {
  let [above, ties, i, j] = [0, 0, 0, 0];
  while (i < x.length) {
    const value = (x[i] as number) - shift;
    while (j < y.length && (y[j] as number) < value) {
      const run = runFrom(y, j, 0);
      ties += run ** 3 - run;
      j += run;
    }
    const same = runFrom(x, i, shift);
    const tied = j < y.length && y[j] === value ? runFrom(y, j, 0) : 0;
    above += same * (j + tied / 2);
    ties += (same + tied) ** 3 - (same + tied);
    i += same;
    j += tied;
  }
  while (j < y.length) {
    const run = runFrom(y, j, 0);
    ties += run ** 3 - run;
    j += run;
  }
  return { above, ties };
}

/** How many values from `from` on are the same once shifted. */
function runFrom(values: readonly number[], from: number, shift: number): number {
  const value = (values[from] as number) - shift;
  let to = from + 1;
  while (to < values.length && (values[to] as number) - shift === value) to++;
  return to - from;
}

/** z of the rank sum of x less the shift, corrected for ties and continuity; falls as the shift grows. */
function shiftedZ(x: readonly number[], y: readonly number[], shift: number): number {
  const { above, ties } = pairs(x, y, shift);
  const [product, all] = [x.length * y.length, x.length + y.length];
  const excess = above - product / 2;
  const sigma = Math.sqrt((product / 12) * (all + 1 - ties / (all * (all - 1))));
  return (excess - Math.sign(excess) / 2) / sigma;
}

function hodgesLehmann(x: readonly number[], y: readonly number[], least: number, most: number): number {
  if (least === most) return least;
  const half = (x.length * y.length) / 2;
  // Between the two middle differences as many pairs are above as below.
  const lower = step(least, most, (shift) => pairs(x, y, shift).above > half);
  const upper = step(least, most, (shift) => pairs(x, y, shift).above >= half);
  return (lower + upper) / 2;
}

/** Where a condition that holds at small shifts ceases to, between `from` and `to`. */
function step(from: number, to: number, holds: (shift: number) => boolean): number {
  let [below, above] = [from, to];
  for (;;) {
    const middle = (below + above) / 2;
    if (middle === below || middle === above) return above;
    if (holds(middle)) below = middle;
    else above = middle;
  }
}

function pValue(x: readonly number[], y: readonly number[]): number {
  const { above, ties } = pairs(x, y, 0);
  const product = x.length * y.length;
  if (x.length < EXACT_BELOW && y.length < EXACT_BELOW && ties === 0) {
    const tail = above > product / 2 ? product - above : above;
    return Math.min(1, 2 * exactTail(x.length, y.length, tail));
  }
  if (first(x) === last(y) && last(x) === first(y)) return 1;
  return Math.min(1, 2 * normalTail(Math.abs(shiftedZ(x, y, 0))));
}

/** Chance of at most `most` pairs above, where all orders of n and m values are as likely: orders counted by pairs above. */
function exactTail(n: number, m: number, most: number): number {
  // The largest value is of x, and above all j of y, or it is of y.
  let counts = Array.from({ length: m + 1 }, () => Float64Array.of(1));
  for (let i = 1; i <= n; i++) {
    const next = [Float64Array.of(1)];
    for (let j = 1; j <= m; j++) {
      const [ofX, ofY] = [counts[j] as Float64Array, next[j - 1] as Float64Array];
      const orders = new Float64Array(i * j + 1);
      orders.set(ofY);
      for (let k = 0; k < ofX.length; k++) orders[k + j] = (orders[k + j] as number) + (ofX[k] as number);
      next.push(orders);
    }
    counts = next;
  }
  const orders = counts[m] as Float64Array;
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  return sum(orders.subarray(0, Math.floor(most) + 1)) / sum(orders);
}

function first(values: readonly number[]): number {
  return values[0] as number;
}

function last(values: readonly number[]): number {
  return values.at(-1) as number;
}
