import { logGamma } from './log-gamma.js';
import { logMeanExp } from './log-mean.js';

/** Odds ratios of candidate to baseline that a test for harm looks for. */
export const HARM_ODDS: readonly number[] = [1.25, 1.5, 2, 3, 5, 10, 20];

/** Observations of one stretch of time in both arms. */
export interface Bin {
  readonly candidate: number;
  readonly baseline: number;
  /** How many of them were bad. */
  readonly candidateBad: number;
  readonly baselineBad: number;
}

/**
 * An e-process that the odds of a bad observation are higher for the candidate, whatever they are and however they change
 * between stretches of time: each stretch counts only by how its bad observations fall on the arms. Given their number that
 * is the hypergeometric law where the arms are alike, and Fisher's noncentral one with the odds ratio where they are not;
 * the process multiplies the likelihood ratios and takes the mean over `odds`. It is valid for common events too, where the
 * arms' sizes do not follow the configured share, and with one observation a batch where members of a batch share their
 * fate. Under the null (odds ratio at most `nullOdds`) its chance to ever reach 1 / alpha is at most alpha.
 */
export class ConditionalOdds {
  readonly #odds: readonly number[];
  readonly #nullOdds: number;
  readonly #logs: Float64Array;

  constructor(odds: readonly number[] = HARM_ODDS, nullOdds = 1) {
    this.#odds = odds;
    this.#nullOdds = nullOdds;
    this.#logs = new Float64Array(odds.length);
  }

  /** Takes one stretch; cost linear in its bad observations. */
  observe({ candidate, baseline, candidateBad, baselineBad }: Bin): void {
    const bad = candidateBad + baselineBad;
    if (candidateBad > candidate || baselineBad > baseline)
      throw new RangeError('more bad observations than there are');
    // A stretch with one arm, or all alike, says nothing about which arm is worse.
    if (bad === 0 || bad === candidate + baseline || candidate === 0 || baseline === 0) return;
    const least = Math.max(0, bad - baseline);
    const most = Math.min(bad, candidate);
    const ways = new Float64Array(most - least + 1);
    for (let x = least; x <= most; x++) ways[x - least] = logChoose(candidate, x) + logChoose(baseline, bad - x);
    const ofNull = candidateBad * Math.log(this.#nullOdds) - logTotal(ways, least, Math.log(this.#nullOdds));
    for (let i = 0; i < this.#odds.length; i++) {
      const logOdds = Math.log(this.#odds[i] as number);
      this.#logs[i] = (this.#logs[i] as number) + candidateBad * logOdds - logTotal(ways, least, logOdds) - ofNull;
    }
  }

  /** ln of the e-value now. */
  get logE(): number {
    return logMeanExp(this.#logs);
  }
}

/** ln of the sum over x of ways(x) odds^x. */
function logTotal(ways: Float64Array, least: number, logOdds: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < ways.length; i++) most = Math.max(most, (ways[i] as number) + (least + i) * logOdds);
  let sum = 0;
  for (let i = 0; i < ways.length; i++) sum += Math.exp((ways[i] as number) + (least + i) * logOdds - most);
  return most + Math.log(sum);
}

/** ln n! for the sizes that stretches of time have. */
const LOG_FACTORIALS = Float64Array.from({ length: 1024 }, (_, n) => logGamma(n + 1));

function logFactorial(n: number): number {
  return LOG_FACTORIALS[n] ?? logGamma(n + 1);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}
