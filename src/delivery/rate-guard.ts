import { type Bin, ConditionalOdds, HARM_ODDS } from './statistics/conditional-odds.js';
import { EventShare, HARM_RATIOS } from './statistics/event-share.js';
import { type Bounds, differenceBounds } from './statistics/proportion-sequence.js';

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

/** The bounds of the difference are computed anew after so many observations of the candidate, or a hundredth more. */
const LOOK_EVERY = 16;

/**
 * Watches the rate of bad observations of a candidate beside its baseline; may be asked at any time. Harm is proven by how
 * the bad ones fall on the arms, safety by the same against `maxRatio`, or by the bounds of the difference, which need no
 * bad one at all. The first proof stands: what comes later does not take it back. Two of them prove that.
 */
abstract class RateGuard<Harm extends Evidence> {
  protected readonly harm: Harm;
  protected readonly safe: Harm;
  readonly #limits: RateLimits;
  readonly #harmAt: number;
  /** There are two ways to pass, so each has half of alpha. */
  readonly #safeAt: number;
  readonly #candidate = { seen: 0, of: 0 };
  readonly #baseline = { seen: 0, of: 0 };
  #verdict: Verdict = 'inconclusive';
  #lookAt = 0;

  constructor(limits: RateLimits, harm: Harm, safe: Harm) {
    this.harm = harm;
    this.safe = safe;
    this.#limits = limits;
    this.#harmAt = Math.log(1 / limits.alpha);
    this.#safeAt = Math.log(2 / limits.alpha);
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** Counts what was seen, and decides unless it is decided; `harm` and `safe` know of it. */
  protected count({ candidate, baseline, candidateBad, baselineBad }: Bin): Verdict {
    this.#candidate.of += candidate;
    this.#candidate.seen += candidateBad;
    this.#baseline.of += baseline;
    this.#baseline.seen += baselineBad;
    // The evidence moves with bad observations only.
    if (this.#verdict === 'inconclusive') this.#verdict = this.#decide(candidateBad + baselineBad > 0);
    return this.#verdict;
  }

  #decide(moved: boolean): Verdict {
    if (moved && this.harm.logE >= this.#harmAt) return 'fail';
    const { of } = this.#candidate;
    if (of < this.#limits.minObservations) return 'inconclusive';
    if (moved && this.safe.logE >= this.#safeAt) return 'pass';
    if (of < this.#lookAt) return 'inconclusive';
    this.#lookAt = of + Math.max(LOOK_EVERY, of / 100);
    return this.#difference().upper < this.#limits.maxDifference ? 'pass' : 'inconclusive';
  }

  #difference(): Bounds {
    return differenceBounds(this.#candidate, this.#baseline, this.#limits.alpha / 2);
  }
}

/** One observation a request: for errors, which are rare and come one by one. */
export class RequestGuard extends RateGuard<EventShare> {
  constructor(limits: RateLimits) {
    const { maxRatio } = limits;
    super(limits, new EventShare(HARM_RATIOS, 1), new EventShare([(1 + maxRatio) / 2, 1, 0.5], maxRatio));
  }

  /** Requests that ended while the candidate had `share` of them. */
  observe(seen: Bin, share: number): Verdict {
    if (seen.candidateBad + seen.baselineBad > 0) {
      this.harm.observe(seen.candidateBad, seen.baselineBad, share);
      this.safe.observe(seen.candidateBad, seen.baselineBad, share);
    }
    return this.count(seen);
  }
}

/** One observation a batch: for what the members of a batch share, as its time. */
export class BatchGuard extends RateGuard<ConditionalOdds> {
  constructor(limits: RateLimits) {
    const { maxRatio } = limits;
    super(limits, new ConditionalOdds(HARM_ODDS, 1), new ConditionalOdds([(1 + maxRatio) / 2, 1, 0.5], maxRatio));
  }

  /** The batches of one stretch of time. */
  observe(seen: Bin): Verdict {
    this.harm.observe(seen);
    this.safe.observe(seen);
    return this.count(seen);
  }
}
