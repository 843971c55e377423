import { BatchGuard } from '../batch-guard.js';
import type { RateLimits, Verdict } from '../rate-guard.js';
import { RequestGuard } from '../request-guard.js';
import type { Failures } from '../statistics/failure-share.js';
import { randomStream, type Uniform } from './random-stream.js';

/** A release as it might be: true rates of bad requests, and how much traffic the candidate gets. */
export interface Release {
  readonly baselineRate: number;
  readonly candidateRate: number;
  /** Share of the requests that go to the candidate, above 0 and below 1. */
  readonly share: number;
  /** Requests of a batch; they are all bad or all good. */
  readonly rowsPerBatch: number;
}

/** `request`: every request is an observation. `batch`: every batch is one, in stretches of time. */
export type ObservedUnit = 'request' | 'batch';

export interface PowerOptions {
  readonly limits: RateLimits;
  readonly release: Release;
  readonly observe: ObservedUnit;
  readonly runs: number;
  /** Requests of the candidate after which a run ends without a verdict. */
  readonly maxRequests: number;
  readonly seed: number;
}

/** How the runs of a release ended. */
export interface Power {
  readonly runs: number;
  readonly failed: number;
  readonly passed: number;
  /** Requests of the candidate until the verdict; undefined where no run had it. */
  readonly requestsToFail: Quantiles | undefined;
  readonly requestsToPass: Quantiles | undefined;
}

export interface Quantiles {
  readonly median: number;
  readonly p90: number;
}

/** Runs a release many times on simulated requests, under the guard that watches real ones. Same seed, same result. */
export function ratePower(options: PowerOptions, onRun?: (done: number) => void): Power {
  const { rowsPerBatch } = options.release;
  const [toFail, toPass] = [[] as number[], [] as number[]];
  for (let run = 0; run < options.runs; run++) {
    const { verdict, batches } = oneRun(options, randomStream(options.seed * 1_000_003 + run));
    if (verdict === 'fail') toFail.push(batches * rowsPerBatch);
    else if (verdict === 'pass') toPass.push(batches * rowsPerBatch);
    onRun?.(run + 1);
  }
  return {
    runs: options.runs,
    failed: toFail.length,
    passed: toPass.length,
    requestsToFail: quantiles(toFail),
    requestsToPass: quantiles(toPass),
  };
}

/** Batches come to the arms by chance, as single requests do where a batch has one. */
function oneRun(options: PowerOptions, uniform: Uniform): { verdict: Verdict; batches: number } {
  const { baselineRate, candidateRate, share, rowsPerBatch } = options.release;
  const most = Math.ceil(options.maxRequests / rowsPerBatch);
  const observe = observer(options);
  const beforeCandidate = failuresBefore(share, uniform);
  const goodBaselines = failuresBefore(baselineRate, uniform);
  // Runs of good batches are longer than what lies between two batches of the candidate: one is drawn, then used up.
  let good = goodBaselines();
  for (let batches = 1; batches <= most; batches++) {
    const baseline = beforeCandidate();
    let baselineBad = 0;
    let left = baseline;
    for (; good < left; good = goodBaselines()) {
      left -= good + 1;
      baselineBad++;
    }
    good -= left;
    const verdict = observe(baseline, baselineBad, uniform() < candidateRate);
    if (verdict !== 'inconclusive') return { verdict, batches };
  }
  return { verdict: 'inconclusive', batches: most };
}

/** Tells the guard of one batch of the candidate and of the baseline's batches since the one before it. */
function observer({ limits, release, observe }: PowerOptions): (of: number, bad: number, bad1: boolean) => Verdict {
  const { rowsPerBatch } = release;
  if (observe === 'request') {
    const guard = new RequestGuard(limits);
    const asIfAlone = (batches: number, bad: number): Failures => {
      return { requests: batches * rowsPerBatch, alone: bad * rowsPerBatch, together: [], largest: 1 };
    };
    return (baseline, baselineBad, candidateIsBad) =>
      guard.observe({ candidate: asIfAlone(1, candidateIsBad ? 1 : 0), baseline: asIfAlone(baseline, baselineBad) });
  }
  const guard = new BatchGuard(limits);
  return (baseline, baselineBad, candidateIsBad) =>
    guard.observe({ candidate: 1, baseline, candidateBad: candidateIsBad ? 1 : 0, baselineBad });
}

/** Draws how many trials with this chance fail before one succeeds. */
function failuresBefore(chance: number, uniform: Uniform): () => number {
  if (chance <= 0) return () => Number.POSITIVE_INFINITY;
  const logFailure = Math.log1p(-chance);
  return chance >= 1 ? () => 0 : () => Math.floor(Math.log(1 - uniform()) / logFailure);
}

function quantiles(values: number[]): Quantiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
  return { median: at(0.5), p90: at(0.9) };
}
