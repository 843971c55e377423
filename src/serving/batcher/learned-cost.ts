import type { CostCurve, CostModel } from '../../core/index.js';
import { MeasuredCurve, type SizeCost } from './measured-curve.js';
import { RecentTimes } from './recent-times.js';

/** Classes of shapes that are remembered; beyond it the one seen longest ago is forgotten. Their names come from callers. */
const MOST_CLASSES = 64;

/** What was seen of a size this long ago no longer counts where the sizes beside it are newer: machines change. */
const STALE_NS = 300e9;

/** A curve is made anew after so many executions, or after an eighth of all seen so far, while there are few. */
const REBUILD_EVERY = 32;

/**
 * The time of executions, learned from those that end: for each class of shapes and each size the last times, their
 * middle and an upper quantile; between sizes straight lines. Outliers move neither for long: both come from ranks.
 * A class is known from its first execution on. Cost: constant for an execution, but for one in `REBUILD_EVERY`.
 */
export class LearnedCost implements CostModel {
  readonly #classes = new Map<string, ShapeClass>();

  curve(shapeClass: string): CostCurve | undefined {
    return this.#classes.get(shapeClass)?.curve;
  }

  observe(shapeClass: string, rows: number, computeNs: number, nowNs: number): void {
    if (!(computeNs > 0) || rows < 1) return;
    let known = this.#classes.get(shapeClass);
    if (known === undefined) {
      if (this.#classes.size >= MOST_CLASSES) this.#forgetOldest();
      known = new ShapeClass();
      this.#classes.set(shapeClass, known);
    }
    known.observe(rows, computeNs, nowNs);
  }

  #forgetOldest(): void {
    let oldest: string | undefined;
    let oldestNs = Number.POSITIVE_INFINITY;
    for (const [name, { seenNs }] of this.#classes) {
      if (seenNs < oldestNs) {
        oldest = name;
        oldestNs = seenNs;
      }
    }
    if (oldest !== undefined) this.#classes.delete(oldest);
  }
}

/** One class of shapes: its sizes, and the curve made of them. */
class ShapeClass {
  readonly #sizes = new Map<number, RecentTimes>();
  #seen = 0;
  #rebuildAt = 1;
  #curve: CostCurve | undefined;
  seenNs = 0;

  get curve(): CostCurve | undefined {
    return this.#curve;
  }

  observe(rows: number, computeNs: number, nowNs: number): void {
    const size = gridSize(rows);
    let times = this.#sizes.get(size);
    const isNew = times === undefined;
    if (times === undefined) {
      times = new RecentTimes();
      this.#sizes.set(size, times);
    }
    times.add(computeNs, rows, nowNs);
    this.seenNs = nowNs;
    this.#seen++;
    if (!isNew && this.#seen < this.#rebuildAt) return;
    this.#rebuildAt = this.#seen + Math.min(REBUILD_EVERY, Math.ceil(this.#seen / 8));
    this.#curve = this.#build(nowNs);
  }

  #build(nowNs: number): CostCurve {
    const sizes: SizeCost[] = [];
    for (const [size, times] of this.#sizes) {
      if (nowNs - times.seenNs > STALE_NS) this.#sizes.delete(size);
      else sizes.push(times.cost());
    }
    return new MeasuredCurve(sizes.sort((a, b) => a.rows - b.rows));
  }
}

/** Sizes are kept one by one up to 4, then in steps of a half and a third: 6, 8, 12, 16, 24, 32, .. */
function gridSize(rows: number): number {
  if (rows <= 4) return rows;
  const power = 2 ** Math.floor(Math.log2(rows));
  return rows < power * 1.25 ? power : rows < power * 1.75 ? power * 1.5 : power * 2;
}
