import { HARM_RATIOS } from './event-share.js';
import { logMeanExp } from './log-mean.js';

/** How the requests of one arm failed in a stretch of time. */
export interface Failures {
  readonly requests: number;
  /** Failures of requests that shared no execution with another one. */
  readonly alone: number;
  /** Executions by how many of their requests failed: cell i counts those with i + 1. */
  readonly together: readonly number[];
  /** Requests of the largest execution, good or bad; at least the length of `together`. */
  readonly largest: number;
}

/**
 * An e-process that a request of the candidate is likelier to fail, where requests of one execution may fail together. Within
 * a stretch of time the candidate has v of the requests, whatever it should have had; where its rate is r times the
 * baseline's, it has v r / (v r + 1 - v) of the failures. For each ratio r the process bets on an execution with y failures
 * with a stake linear in y,
 *
 *     1 + l (1 - v0) y  of the candidate,  1 - l v0 y  of the baseline,  v0 = share at `nullRatio`.
 *
 * Its mean is 1 where rates stand at `nullRatio`, however failures fall together: sizes are known before fates, the mean
 * number of failures of an execution is its size times the rate, and 1 + x <= exp x lets the stakes of a stretch cancel. So
 * it asks neither for rare failures nor for rates that stay as they are, nor for batches of the same size in both arms.
 * At l = (vr - v0) / (v0 (1 - v0)) single failures give the likelihood ratio of `EventShare`; executions that fail as a whole
 * are told apart best by an l as many times smaller as they have requests. Which it is nobody knows before: half of the
 * mixture takes either, the first no further than no stake can be lost twice. Constant memory.
 */
export class FailureShare {
  readonly #ratios: readonly number[];
  readonly #nullRatio: number;
  /** One a ratio for failures that come alone, then one a ratio for those that come together. */
  readonly #logs: Float64Array;
  readonly #most: number;
  readonly #least: number;

  constructor(ratios: readonly number[] = HARM_RATIOS, nullRatio = 1) {
    this.#ratios = ratios;
    this.#nullRatio = nullRatio;
    this.#logs = new Float64Array(2 * ratios.length);
    this.#most = Math.max(...ratios);
    this.#least = Math.min(...ratios);
  }

  /** Takes one stretch of time, in which both arms had the same traffic. */
  observe(candidate: Failures, baseline: Failures): void {
    // Requests of one arm say nothing about which arm is worse.
    if (candidate.requests === 0 || baseline.requests === 0) return;
    if (!(hasAny(candidate) || hasAny(baseline))) return;
    const share = candidate.requests / (candidate.requests + baseline.requests);
    const ofNull = shareOfFailures(share, this.#nullRatio);
    const stake = (ratio: number) => (shareOfFailures(share, ratio) - ofNull) / (ofNull * (1 - ofNull));
    // A stake on the candidate is lost to the baseline's failures, and the other way round: by its largest execution.
    const [overBaseline, overCandidate] = [Math.max(1, baseline.largest), Math.max(1, candidate.largest)];
    const [most, least] = [stake(this.#most) / overBaseline, stake(this.#least) / overCandidate];
    const count = this.#ratios.length;
    for (let i = 0; i < count; i++) {
      const full = stake(this.#ratios[i] as number);
      const alone = full > 0 ? Math.min(full, most) : Math.max(full, least);
      const together = full / (full > 0 ? overBaseline : overCandidate);
      this.#add(i, alone, ofNull, candidate, baseline);
      this.#add(count + i, together, ofNull, candidate, baseline);
    }
  }

  /** ln of the e-value now. */
  get logE(): number {
    return logMeanExp(this.#logs);
  }

  #add(i: number, stake: number, ofNull: number, candidate: Failures, baseline: Failures): void {
    const won = logGain(stake * (1 - ofNull), candidate) + logGain(-stake * ofNull, baseline);
    this.#logs[i] = (this.#logs[i] as number) + won;
  }
}

function hasAny({ alone, together }: Failures): boolean {
  return alone > 0 || together.length > 0;
}

/** Share of all failures that are the candidate's, where its rate is `ratio` times the baseline's. */
function shareOfFailures(share: number, ratio: number): number {
  return (share * ratio) / (share * ratio + 1 - share);
}

/** ln of what a stake of so much a failure comes to. */
function logGain(aFailure: number, { alone, together }: Failures): number {
  let gain = alone === 0 ? 0 : alone * Math.log1p(aFailure);
  for (let i = 0; i < together.length; i++) {
    const executions = together[i] as number;
    if (executions > 0) gain += executions * Math.log1p(aFailure * (i + 1));
  }
  return gain;
}
