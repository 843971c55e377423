import { logGamma } from './log-gamma.js';
import type { Bounds } from './proportion-sequence.js';

/** Weight of the mixture in a cell, times the number of cells: small, as most models use few of the cells. */
const PRIOR_WEIGHT = 1;

/** How far shares of cells seen may be from the true ones: the larger the chance of error, the nearer. */
class CellBand {
  /** How much likelier the data are under the shares seen than under the mixture, ln; at least 0. */
  readonly #regret: number;
  readonly #of: number;

  constructor(counts: readonly number[]) {
    const prior = PRIOR_WEIGHT / counts.length;
    const of = counts.reduce((sum, count) => sum + count, 0);
    let [fit, mixture] = [0, logGamma(PRIOR_WEIGHT) - logGamma(of + PRIOR_WEIGHT)];
    for (const count of counts) {
      if (count === 0) continue;
      fit += count * Math.log(count / of);
      mixture += logGamma(count + prior) - logGamma(prior);
    }
    this.#regret = fit - mixture;
    this.#of = of;
  }

  /** Total variation between the shares seen and the true ones, where the mixture is not e^`log` times too good. */
  radius(log: number): number {
    return this.#of === 0 ? 1 : Math.min(1, Math.sqrt(Math.max(0, log + this.#regret) / (2 * this.#of)));
  }
}

/**
 * Total variation between the laws of two arms, by counts of cells. For each arm the Dirichlet mixture of all laws is a
 * martingale against the true one, so n KL(seen, true) stays below ln(1 / alpha) and what the mixture lags behind the shares
 * seen; by Pinsker's inequality that bounds their total variation, and by the triangle that of the arms. Valid at every
 * look for independent answers of one law in each arm; at small counts the bounds are wide, as they must be.
 */
export class TotalVariation {
  readonly #bands: readonly [CellBand, CellBand];
  /** Between the shares seen. */
  readonly seen: number;

  /** Counts of the same cells in either arm. */
  constructor(candidate: readonly number[], baseline: readonly number[]) {
    this.#bands = [new CellBand(candidate), new CellBand(baseline)];
    this.seen = distance(candidate, baseline);
  }

  /** The chance that the true one is ever outside is at most `alpha`: each arm has half of it. */
  bounds(alpha: number): Bounds {
    const radius = this.#radius(Math.log(2 / alpha));
    return { lower: Math.max(0, this.seen - radius), upper: Math.min(1, this.seen + radius) };
  }

  /** ln of 1 / the smallest alpha at which the true one is above `limit`; 0 where it is at none. */
  logAbove(limit: number): number {
    const excess = this.seen - limit;
    let [below, above] = [Math.log(2), 1];
    if (this.#radius(below) >= excess) return 0;
    while (this.#radius(above) < excess) above *= 2;
    for (;;) {
      const middle = (below + above) / 2;
      if (middle === below || middle === above) return middle - Math.log(2);
      if (this.#radius(middle) < excess) below = middle;
      else above = middle;
    }
  }

  #radius(log: number): number {
    return this.#bands[0].radius(log) + this.#bands[1].radius(log);
  }
}

function distance(candidate: readonly number[], baseline: readonly number[]): number {
  const of = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
  const [ofCandidate, ofBaseline] = [of(candidate), of(baseline)];
  if (ofCandidate === 0 || ofBaseline === 0) return 0;
  return (
    candidate.reduce((sum, count, i) => sum + Math.abs(count / ofCandidate - (baseline[i] as number) / ofBaseline), 0) /
    2
  );
}
