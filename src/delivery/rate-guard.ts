import { type Bounds, type Count, differenceBounds } from './statistics/proportion-sequence.js';

/** What is asked of the rate of bad requests: errors, or answers slower than a limit. */
export interface RateLimits {
  /** Chance to stop a candidate that is not worse, and, apart, to pass one that is too bad. */
  readonly alpha: number;
  /** The candidate passes once its rate is proven to be less than so many times the baseline's; above 1. */
  readonly maxRatio: number;
  /** It passes also once its rate is proven to be less than the baseline's and this; above 0. */
  readonly maxDifference: number;
  /** It does not pass on fewer observations of its own. */
  readonly minObservations: number;
}

/** `fail`: proven worse. `pass`: proven to be within the margins. `inconclusive`: neither is proven yet. */
export type Verdict = 'pass' | 'fail' | 'inconclusive';

/** Something that grows where its null hypothesis is wrong. */
interface Evidence {
  readonly logE: number;
}

/** What a guard of a rate goes by, for reports. */
export interface RateStanding {
  readonly candidate: Count;
  readonly baseline: Count;
  /** Bounds of the candidate's rate less the baseline's, each wrong with a chance of at most alpha / 2, whenever asked. */
  readonly difference: Bounds;
  readonly logHarm: number;
  readonly logHarmLimit: number;
}

/** The bounds of the difference are computed anew after so many observations of the candidate, or a hundredth more. */
const LOOK_EVERY = 16;

/** A sum of observations that may weigh less than one each. */
interface Tally {
  seen: number;
  of: number;
}

/**
 * Watches the rate of bad observations of a candidate beside its baseline; may be asked at any time. Harm is proven by how
 * the bad ones fall on the arms, safety by the same against `maxRatio`, or by the bounds of the difference, which need no
 * bad one at all. The first proof stands, and what comes later is not looked at.
 */
export abstract class RateGuard<Harm extends Evidence = Evidence> {
  readonly limits: RateLimits;
  protected readonly harm: Harm;
  protected readonly safe: Harm;
  readonly #harmAt: number;
  /** There are two ways to pass, so each has half of alpha. */
  readonly #safeAt: number;
  readonly #candidate: Tally = { seen: 0, of: 0 };
  readonly #baseline: Tally = { seen: 0, of: 0 };
  /** What they are worth for bounds: observations that share their fate are worth one. */
  readonly #worthOfCandidate: Tally = { seen: 0, of: 0 };
  readonly #worthOfBaseline: Tally = { seen: 0, of: 0 };
  #verdict: Verdict = 'inconclusive';
  #lookAt = 0;

  constructor(limits: RateLimits, harm: Harm, safe: Harm) {
    this.limits = limits;
    this.harm = harm;
    this.safe = safe;
    this.#harmAt = Math.log(1 / limits.alpha);
    this.#safeAt = Math.log(2 / limits.alpha);
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** Where it stands: at the verdict, once there is one. */
  standing(): RateStanding {
    return {
      candidate: this.#candidate,
      baseline: this.#baseline,
      difference: this.#difference(),
      logHarm: this.harm.logE,
      logHarmLimit: this.#harmAt,
    };
  }

  /** Whether a proof of safety would be one; a proof of harm always is. */
  protected mayPass(): boolean {
    return true;
  }

  /** Counts what was seen of an arm; `weight` of one observation, at most 1 / how many share a fate. */
  protected count(arm: 'candidate' | 'baseline', { seen, of }: Count, weight: number): void {
    const [tally, worth] =
      arm === 'candidate' ? [this.#candidate, this.#worthOfCandidate] : [this.#baseline, this.#worthOfBaseline];
    tally.seen += seen;
    tally.of += of;
    worth.seen += seen * weight;
    worth.of += of * weight;
  }

  /** Decides, for the first time. */
  protected decide(): Verdict {
    this.#verdict = this.#judge();
    return this.#verdict;
  }

  #judge(): Verdict {
    if (this.harm.logE >= this.#harmAt) return 'fail';
    const { of } = this.#candidate;
    if (of < this.limits.minObservations || !this.mayPass()) return 'inconclusive';
    if (this.safe.logE >= this.#safeAt) return 'pass';
    if (of < this.#lookAt) return 'inconclusive';
    this.#lookAt = of + Math.max(LOOK_EVERY, of / 100);
    return this.#difference().upper < this.limits.maxDifference ? 'pass' : 'inconclusive';
  }

  #difference(): Bounds {
    return differenceBounds(this.#worthOfCandidate, this.#worthOfBaseline, this.limits.alpha / 2);
  }
}
