import type { CostCurve, SizeCost } from '../../core/index.js';
import { searchRows } from './batch-size.js';

/** Part of the time of one row that further rows are taken to cost before any was seen. */
const UNTRIED = 0.5;

/**
 * A curve through measured sizes, made non-decreasing by pooling neighbours that contradict each other (weighted isotonic
 * regression), straight between them. Below the smallest size it is level; beyond the largest it goes on as steeply as
 * between the last two. From one size alone it grows half as fast as rows: larger sizes look worth a try until they have had one.
 */
export class MeasuredCurve implements CostCurve {
  readonly #rows: readonly number[];
  readonly #mean: readonly number[];
  readonly #upper: readonly number[];

  /** `sizes` ascending in rows, at least one. */
  constructor(sizes: readonly SizeCost[]) {
    const weights = sizes.map(({ weight }) => weight);
    this.#rows = sizes.map(({ rows }) => rows);
    this.#mean = isotonic(
      sizes.map(({ meanNs }) => meanNs),
      weights,
    );
    this.#upper = isotonic(
      sizes.map(({ upperNs }) => upperNs),
      weights,
    );
  }

  meanNs(rows: number): number {
    return at(this.#rows, this.#mean, rows, UNTRIED);
  }

  knows(rows: number): boolean {
    return rows > (this.#rows[0] as number) - 1;
  }

  upperNs(rows: number): number {
    // Beyond the last size the mean may be the steeper of the two.
    return Math.max(at(this.#rows, this.#upper, rows, UNTRIED), this.meanNs(rows));
  }

  /**
   * Refusals ask this by the dozen, and each time that a search looks at is a number on the heap. So the search begins and ends at the
   * sizes about the budget, and mostly at the very row that a straight line between them says.
   */
  rowsWithin(budgetNs: number, most: number): number {
    const [rows, upper, mean] = [this.#rows, this.#upper, this.#mean];
    let above = 0;
    while (above < rows.length && Math.max(upper[above] as number, mean[above] as number) <= budgetNs) above++;
    if (above === 0 && !(this.upperNs(1) <= budgetNs)) return 0;
    const low = above === 0 ? 1 : clamped(Math.floor(rows[above - 1] as number), most);
    if (above === rows.length) return searchRows(this, budgetNs, low, most);
    const high = clamped(Math.floor(rows[above] as number), most);
    if (above === 0) return searchRows(this, budgetNs, low, high);
    const [fromNs, toNs] = [upper[above - 1] as number, upper[above] as number];
    const between = (rows[above] as number) - (rows[above - 1] as number);
    const share = toNs > fromNs ? (budgetNs - fromNs) / (toNs - fromNs) : 0;
    const guess = Math.min(Math.max(Math.floor((rows[above - 1] as number) + share * between), low), high);
    if (this.upperNs(guess) > budgetNs) return searchRows(this, budgetNs, low, Math.max(guess - 1, low));
    return guess === high || this.upperNs(guess + 1) > budgetNs ? guess : searchRows(this, budgetNs, guess + 1, high);
  }
}

/** A whole number of rows, from 1 to `most`. */
function clamped(rows: number, most: number): number {
  return Math.min(Math.max(rows, 1), most);
}

/** Non-decreasing values nearest to `values` (pool adjacent violators). */
function isotonic(values: readonly number[], weights: readonly number[]): number[] {
  const pools: { sum: number; weight: number; count: number }[] = [];
  values.forEach((value, i) => {
    const weight = weights[i] as number;
    pools.push({ sum: value * weight, weight, count: 1 });
    for (;;) {
      const last = pools.at(-1);
      const before = pools.at(-2);
      if (last === undefined || before === undefined || before.sum / before.weight <= last.sum / last.weight) break;
      pools.pop();
      before.sum += last.sum;
      before.weight += last.weight;
      before.count += last.count;
    }
  });
  return pools.flatMap(({ sum, weight, count }) => new Array<number>(count).fill(sum / weight));
}

/** `growth`: of the time, for each time the rows of the one known size. */
function at(sizes: readonly number[], values: readonly number[], rows: number, growth: number): number {
  const last = sizes.length - 1;
  const first = sizes[0] as number;
  if (rows <= first) return values[0] as number;
  if (rows >= (sizes[last] as number)) {
    const [size, value] = [sizes[last] as number, values[last] as number];
    if (last === 0) return value * (1 + growth * (rows / size - 1));
    const steepness = (value - (values[last - 1] as number)) / (size - (sizes[last - 1] as number));
    return value + steepness * (rows - size);
  }
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((sizes[middle] as number) <= rows) low = middle;
    else high = middle;
  }
  const share = (rows - (sizes[low] as number)) / ((sizes[high] as number) - (sizes[low] as number));
  return (values[low] as number) + share * ((values[high] as number) - (values[low] as number));
}
