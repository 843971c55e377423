import { RateGuard, type RateLimits, type Verdict } from './rate-guard.js';
import { BinsBySplit } from './statistics/bins-by-split.js';
import { type Bin, ConditionalOdds, HARM_ODDS } from './statistics/conditional-odds.js';

/** Observations of either arm in a bin: fewer say little about which arm is worse. */
const LEAST_OBSERVATIONS = 4;

/** Watches what is observed once a batch, as its time, or is common, as wrong answers. */
export class BatchGuard extends RateGuard<ConditionalOdds> {
  readonly #bins = new BinsBySplit<Bin>(
    (one, other) => ({
      candidate: one.candidate + other.candidate,
      baseline: one.baseline + other.baseline,
      candidateBad: one.candidateBad + other.candidateBad,
      baselineBad: one.baselineBad + other.baselineBad,
    }),
    ({ candidate, baseline }) => candidate >= LEAST_OBSERVATIONS && baseline >= LEAST_OBSERVATIONS,
  );

  /** `harmOdds`: odds ratio that is no harm yet, at least 1. */
  constructor(limits: RateLimits, harmOdds = 1) {
    const { maxRatio } = limits;
    const harm = HARM_ODDS.map((odds) => odds * harmOdds);
    super(limits, new ConditionalOdds(harm, harmOdds), new ConditionalOdds([(1 + maxRatio) / 2, 1, 0.5], maxRatio));
  }

  /** The batches that ended in one stretch of time; `split` is another where the candidate's share is another. */
  observe(seen: Bin, split = 0): Verdict {
    if (this.verdict !== 'inconclusive') return this.verdict;
    const bin = this.#bins.add(split, seen);
    if (bin === undefined) return this.verdict;
    this.harm.observe(bin);
    this.safe.observe(bin);
    this.count('candidate', { seen: bin.candidateBad, of: bin.candidate }, 1);
    this.count('baseline', { seen: bin.baselineBad, of: bin.baseline }, 1);
    return this.decide();
  }
}
