import type { SizeCost } from '../../core/index.js';

/** Times of one size that count. */
const KEPT = 32;

/** Share of executions that the upper quantile covers; the highest of a few times is no quantile, but an accident. */
const UPPER = 0.9;

/** What an execution costs beside its run: handing it over, settling it. Matters where runs are shorter. */
const OVERHEAD_NS = 30e3;

/** Few times say little of a quantile: this share of the mean is added to it, divided by the square of their number. */
const UNSURE = 0.5;

/** So many executions in a row, each this much faster than those before, say that what was slow is over. */
const QUICK_RUNS = 4;
const QUICK = 0.6;

/** The last times of executions of about one size: a ring, so that what has changed is forgotten. */
export class RecentTimes {
  readonly #times = new Float64Array(KEPT);
  readonly #rows = new Float64Array(KEPT);
  #count = 0;
  #next = 0;
  /** The last ones in a row that were quick; and their mean, without them, to which they are compared. */
  #quick = 0;
  #usualNs = 0;
  seenNs = 0;

  /** True where the last few were so much faster than those before that those are forgotten: the machine had stood still. */
  add(computeNs: number, rows: number, nowNs: number): boolean {
    this.#times[this.#next] = computeNs;
    this.#rows[this.#next] = rows;
    this.#next = (this.#next + 1) % KEPT;
    if (this.#count < KEPT) this.#count++;
    this.seenNs = nowNs;
    if (this.#quick === 0) this.#usualNs = this.#meanBefore();
    this.#quick = computeNs < this.#usualNs * QUICK ? this.#quick + 1 : 0;
    if (this.#quick < QUICK_RUNS) return false;
    this.#keepLast(QUICK_RUNS);
    return true;
  }

  /** Mean of all but the last; 0 where there is no other. */
  #meanBefore(): number {
    const last = (this.#next + KEPT - 1) % KEPT;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) if (i !== last) sum += this.#times[i] as number;
    return this.#count < 2 ? 0 : sum / (this.#count - 1);
  }

  #keepLast(count: number): void {
    const at = Array.from({ length: count }, (_, i) => (this.#next + KEPT - count + i) % KEPT);
    const [times, rows] = [at.map((i) => this.#times[i] as number), at.map((i) => this.#rows[i] as number)];
    this.#times.set(times);
    this.#rows.set(rows);
    this.#count = count;
    this.#next = count;
    this.#quick = 0;
  }

  /**
   * Mean of the middle four fifths, so that a run which the system interrupted does not count, and the quantile that
   * planning uses. Sizes are only about one: `slopeNs` a row is what their difference explains, which is no doubt about time.
   */
  cost(slopeNs = 0): SizeCost {
    const count = this.#count;
    let rows = 0;
    for (let i = 0; i < count; i++) rows += this.#rows[i] as number;
    rows /= count;
    const sorted = this.#times.slice(0, count);
    for (let i = 0; i < count; i++) sorted[i] = (sorted[i] as number) + slopeNs * (rows - (this.#rows[i] as number));
    sorted.sort();
    const cut = Math.floor(count / 10);
    let sum = 0;
    for (let i = cut; i < count - cut; i++) sum += sorted[i] as number;
    const meanNs = sum / (count - 2 * cut);
    const upper = sorted[Math.floor((count - 1) * UPPER)] as number;
    const upperNs = Math.max(upper, meanNs * (1 + UNSURE / count ** 2));
    return { rows, meanNs: meanNs + OVERHEAD_NS, upperNs: upperNs + OVERHEAD_NS, weight: count };
  }
}
