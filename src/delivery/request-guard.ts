import { RateGuard, type RateLimits, type Verdict } from './rate-guard.js';
import { BinsBySplit } from './statistics/bins-by-split.js';
import { HARM_RATIOS } from './statistics/event-share.js';
import { FailureShare, type Failures } from './statistics/failure-share.js';

/** Requests of either arm in a bin: of fewer, the candidate's share of them says little. */
const LEAST_REQUESTS = 8;

/** Requests that ended in one stretch of time. */
interface BothArms {
  readonly candidate: Failures;
  readonly baseline: Failures;
}

/** Watches requests that fail: one by one, or with all of an execution. */
export class RequestGuard extends RateGuard<FailureShare> {
  readonly #bins = new BinsBySplit<BothArms>(
    (one, other) => ({
      candidate: together(one.candidate, other.candidate),
      baseline: together(one.baseline, other.baseline),
    }),
    ({ candidate, baseline }) => candidate.requests >= LEAST_REQUESTS && baseline.requests >= LEAST_REQUESTS,
  );

  constructor(limits: RateLimits) {
    const { maxRatio } = limits;
    super(limits, new FailureShare(HARM_RATIOS, 1), new FailureShare([(1 + maxRatio) / 2, 1, 0.5], maxRatio));
  }

  /** Requests that ended in one stretch of time; `split` is another where the candidate's share is another. */
  observe(seen: BothArms, split = 0): Verdict {
    if (this.verdict !== 'inconclusive') return this.verdict;
    const bin = this.#bins.add(split, seen);
    if (bin === undefined) return this.verdict;
    this.harm.observe(bin.candidate, bin.baseline);
    this.safe.observe(bin.candidate, bin.baseline);
    this.count('candidate', ...worth(bin.candidate));
    this.count('baseline', ...worth(bin.baseline));
    return this.decide();
  }
}

/** Requests that failed of all, and what one is worth where as many as the largest execution has share a fate. */
function worth({ requests, alone, together, largest }: Failures): [{ seen: number; of: number }, number] {
  const seen = together.reduce((sum, executions, i) => sum + executions * (i + 1), alone);
  return [{ seen, of: requests }, 1 / Math.max(1, largest)];
}

function together(one: Failures, other: Failures): Failures {
  return {
    requests: one.requests + other.requests,
    alone: one.alone + other.alone,
    together: sums(one.together, other.together),
    largest: Math.max(one.largest, other.largest),
  };
}

function sums(one: readonly number[], other: readonly number[]): readonly number[] {
  if (one.length === 0 || other.length === 0) return one.length === 0 ? other : one;
  return Array.from({ length: Math.max(one.length, other.length) }, (_, i) => (one[i] ?? 0) + (other[i] ?? 0));
}
