import { logMeanExp } from './log-mean.js';
import type { Bounds } from './proportion-sequence.js';

/** Stakes of the mixture on a value of range 1: the largest suits large effects, the smallest a million values. */
export const STAKES: readonly number[] = Array.from({ length: 10 }, (_, i) => 0.9 / 1.7 ** i);

/** What a stake costs for each squared deviation (Fan, Grama, Liu 2015). */
const COSTS = STAKES.map((stake) => -Math.log1p(-stake) - stake);

/** Deviations of so many values from what was expected of them. */
interface Deviations {
  /** Sum of the values, each less than 1 away from what was expected. */
  readonly sum: number;
  readonly weight: number;
  readonly squares: number;
}

/**
 * Always-valid evidence on a mean, empirical Bernstein: exp(l (x - m) - psi(l) (x - g)^2), psi(l) = -ln(1 - l) - l, has a mean
 * of at most 1 where x has mean m and x - g is at least -1, whatever the law of x; g is a guess made before x is seen (Fan,
 * Grama, Liu 2015; Howard et al. 2021; Waudby-Smith and Ramdas 2023). The product over all values is an e-process, and so is
 * its mean over the stakes l. It needs two sums alone, so that values come as moments of a stretch of time.
 */
export class MeanEvidence {
  #sum = 0;
  #weight = 0;
  #squares = 0;

  /** Takes values: their sum, how many they are, and the sum of their squared distances from the guess. */
  add({ sum, weight, squares }: Deviations): void {
    this.#sum += sum;
    this.#weight += weight;
    this.#squares += Math.max(0, squares);
  }

  /** Undefined before any value. */
  get mean(): number | undefined {
    return this.#weight === 0 ? undefined : this.#sum / this.#weight;
  }

  /** ln of the e-value that the mean is above `mean`. */
  logAbove(mean: number): number {
    return this.#log(this.#sum - this.#weight * mean);
  }

  /** The same for below; where values are less than 1 above the guess too. */
  logBelow(mean: number): number {
    return this.#log(this.#weight * mean - this.#sum);
  }

  /** On either side the chance that the mean is ever outside is at most `alpha`. */
  bounds(alpha: number): Bounds {
    const limit = Math.log(1 / alpha);
    const mean = this.mean;
    if (mean === undefined) return { lower: Number.NEGATIVE_INFINITY, upper: Number.POSITIVE_INFINITY };
    const reach = this.#reach(limit) / this.#weight;
    return { lower: mean - reach, upper: mean + reach };
  }

  /** The excess at which the evidence reaches `limit`: it grows with the excess, from below 0 at none. */
  #reach(limit: number): number {
    let [below, above] = [0, 1];
    while (this.#log(above) < limit) above *= 2;
    for (;;) {
      const middle = (below + above) / 2;
      if (middle === below || middle === above) return middle;
      if (this.#log(middle) < limit) below = middle;
      else above = middle;
    }
  }

  #log(excess: number): number {
    const logs = new Float64Array(STAKES.length);
    for (let i = 0; i < logs.length; i++)
      logs[i] = (STAKES[i] as number) * excess - (COSTS[i] as number) * this.#squares;
    return logMeanExp(logs);
  }
}

/** Values between 0 and 1 in a stretch of time, by their moments. */
export interface ValueMoments {
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

/** What is expected of the next value between 0 and 1: the mean of those before, with one of 1/2. */
class Guess {
  #sum = 0.5;
  #count = 1;

  /** Sum of squared distances from the guess, which then knows of them. */
  squares({ count, sum, sumOfSquares }: ValueMoments): number {
    const guess = this.#sum / this.#count;
    this.#sum += sum;
    this.#count += count;
    return sumOfSquares - 2 * guess * sum + count * guess * guess;
  }
}

/** Evidence on the mean of values between 0 and 1. */
export class ValueMean {
  readonly evidence = new MeanEvidence();
  readonly #guess = new Guess();

  observe(values: ValueMoments): void {
    if (values.count === 0) return;
    this.evidence.add({ sum: values.sum, weight: values.count, squares: this.#guess.squares(values) });
  }
}

/**
 * Evidence on the candidate's mean less the baseline's, values between 0 and 1. Arms are compared within a stretch of time:
 * each mean has the weight of the smaller arm, so that what both have in common cancels, however it changes with time. A
 * stake of l a on each value costs at most a^2 times what l costs.
 */
export class MeanDifference {
  readonly evidence = new MeanEvidence();
  readonly #guesses = { candidate: new Guess(), baseline: new Guess() };

  observe(candidate: ValueMoments, baseline: ValueMoments): void {
    if (candidate.count === 0 || baseline.count === 0) return;
    const weight = Math.min(candidate.count, baseline.count);
    const [ofCandidate, ofBaseline] = [weight / candidate.count, weight / baseline.count];
    this.evidence.add({
      sum: candidate.sum * ofCandidate - baseline.sum * ofBaseline,
      weight,
      squares:
        ofCandidate ** 2 * this.#guesses.candidate.squares(candidate) +
        ofBaseline ** 2 * this.#guesses.baseline.squares(baseline),
    });
  }
}
