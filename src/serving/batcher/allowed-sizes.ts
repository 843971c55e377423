import type { CostCurve, CostModel } from '../../core/index.js';
import type { Candidate } from './scheduling-view.js';

/** Two executions must take this much less than the one that is padded up. */
const WORTH_A_SPLIT = 0.98;

/** The sizes that executions of a version may have; without any, every size is its own. */
export class AllowedSizes {
  readonly #sizes: readonly number[];

  constructor(sizes: readonly number[] = []) {
    this.#sizes = sizes;
  }

  get any(): boolean {
    return this.#sizes.length > 0;
  }

  /** Rows that an execution of so many runs. */
  up(rows: number): number {
    for (const size of this.#sizes) if (size >= rows) return size;
    return rows;
  }

  /**
   * How many of `members`, which would start together, to start now: all of them, padded up; or as many as are an allowed size
   * exactly, where that and the rest afterwards take less time by `curve` and the rest is still in time.
   */
  toStart(members: readonly Candidate[], curve: CostCurve | undefined, nowNs: number): number {
    let rows = 0;
    for (const member of members) rows += member.rows;
    if (curve === undefined || this.up(rows) === rows) return members.length;
    let best = members.length;
    let leastNs = curve.meanNs(this.up(rows)) * WORTH_A_SPLIT;
    let tightestNs = Number.POSITIVE_INFINITY;
    let left = rows;
    for (let i = members.length - 1; i > 0; i--) {
      const { rows: own, deadlineNs } = members[i] as Candidate;
      tightestNs = Math.min(tightestNs, deadlineNs);
      left -= own;
      if (this.up(left) !== left) continue;
      const rest = this.up(rows - left);
      const takesNs = curve.meanNs(left) + curve.meanNs(rest);
      if (takesNs >= leastNs || nowNs + curve.upperNs(left) + curve.upperNs(rest) > tightestNs) continue;
      best = i;
      leastNs = takesNs;
    }
    return best;
  }
}

/** Costs as executions of allowed sizes have them: those of the size that is run, whatever the rows. */
export class SteppedCosts implements CostModel {
  readonly #costs: CostModel;
  readonly #sizes: AllowedSizes;
  readonly #stepped = new WeakMap<CostCurve, CostCurve>();

  constructor(costs: CostModel, sizes: AllowedSizes) {
    this.#costs = costs;
    this.#sizes = sizes;
  }

  curve(shapeClass: string, device?: string): CostCurve | undefined {
    const curve = this.#costs.curve(shapeClass, device);
    if (curve === undefined) return undefined;
    let stepped = this.#stepped.get(curve);
    if (stepped === undefined) {
      const sizes = this.#sizes;
      stepped = {
        meanNs: (rows) => curve.meanNs(sizes.up(rows)),
        upperNs: (rows) => curve.upperNs(sizes.up(rows)),
        knows: (rows) => curve.knows?.(sizes.up(rows)) ?? true,
      };
      this.#stepped.set(curve, stepped);
    }
    return stepped;
  }

  observe(shapeClass: string, rows: number, computeNs: number, nowNs: number, device?: string): void {
    this.#costs.observe(shapeClass, rows, computeNs, nowNs, device);
  }
}
