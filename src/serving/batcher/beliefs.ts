import type { SizeCost } from '../../core/index.js';

/** What is believed of a size counts as one execution beside those that were seen. */
const BELIEVED = 1;

/** A size seen so often decides for itself. */
const ENOUGH = 4;

/** How far a size may be from a believed one to be held against it: half as many rows again. */
const SAME_SIZE = 1.5;

/**
 * What is taken to be true of the sizes of one class until executions tell: one set of figures from one time. Where a size
 * is seen again, its ratio to what was believed says how the machine or its load has changed since, and what is believed
 * of the sizes nearest to it shifts by that ratio.
 */
export class Beliefs {
  #sizes: readonly SizeCost[] = [];

  replace(sizes: readonly SizeCost[]): void {
    this.#sizes = sizes;
  }

  /** `measured`, with what is believed of the sizes that are missing or were seen too seldom. */
  completed(measured: readonly SizeCost[]): SizeCost[] {
    if (this.#sizes.length === 0) return [...measured];
    const drifts = measured.flatMap(({ rows, meanNs, weight }) => {
      const belief = this.#at(rows);
      // One slow execution is not a slow machine.
      const trust = Math.min(weight / ENOUGH, 1);
      return belief === undefined ? [] : [{ rows, factor: (meanNs / belief.meanNs) ** trust }];
    });
    const result: SizeCost[] = [];
    for (const size of measured) {
      const belief = size.weight < ENOUGH ? this.#at(size.rows) : undefined;
      result.push(belief === undefined ? size : mixed(size, belief));
    }
    for (const belief of this.#sizes) {
      if (measured.some(({ rows }) => near(rows, belief.rows))) continue;
      const factor = nearest(drifts, belief.rows)?.factor ?? 1;
      const { rows, meanNs, upperNs } = belief;
      result.push({ rows, meanNs: meanNs * factor, upperNs: upperNs * factor, weight: BELIEVED });
    }
    return result;
  }

  #at(rows: number): SizeCost | undefined {
    const belief = nearest(this.#sizes, rows);
    return belief !== undefined && near(belief.rows, rows) ? belief : undefined;
  }
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) < 0.5 || (Math.min(a, b) > 4 && Math.max(a, b) < Math.min(a, b) * Math.sqrt(SAME_SIZE));
}

function nearest<T extends { readonly rows: number }>(sizes: readonly T[], rows: number): T | undefined {
  let best: T | undefined;
  for (const size of sizes)
    if (best === undefined || Math.abs(Math.log(size.rows / rows)) < Math.abs(Math.log(best.rows / rows))) best = size;
  return best;
}

/** Few executions and a belief about the same size. */
function mixed(seen: SizeCost, belief: SizeCost): SizeCost {
  const weight = seen.weight + BELIEVED;
  const meanNs = (seen.meanNs * seen.weight + belief.meanNs * BELIEVED) / weight;
  return { rows: seen.rows, meanNs, upperNs: Math.max((seen.upperNs + belief.upperNs) / 2, meanNs), weight };
}
