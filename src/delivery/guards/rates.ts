import type { BatchGuard } from '../batch-guard.js';
import type { Guard, GuardEvidence } from '../guard.js';
import type { Observation } from '../observation.js';
import type { RateGuard, RateLimits, RateStanding, Verdict } from '../rate-guard.js';
import { numberText, percentText } from './in-words.js';

/** A rate as the guard of a plan: what it takes of an observation, and how it speaks of it. */
export interface WatchedRate<Rate extends RateGuard = BatchGuard> {
  readonly name: string;
  readonly rate: Rate;
  take(rate: Rate, seen: Observation): void;
  /** What is counted, and what is bad about the bad ones: `requests`, `failed`. */
  readonly things: string;
  readonly bad: string;
  /** Why it must not pass yet, whatever the rate; undefined: it may. */
  readonly doubt?: () => string | undefined;
}

/** The guard that watches a rate. */
export function rateGuard<Rate extends RateGuard>(watched: WatchedRate<Rate>): Guard {
  const { name, rate, take } = watched;
  let verdict: Verdict = 'inconclusive';
  return {
    name,
    get verdict() {
      return verdict;
    },
    observe(seen) {
      if (verdict !== 'inconclusive') return verdict;
      take(rate, seen);
      if (rate.verdict === 'fail' || watched.doubt?.() === undefined) verdict = rate.verdict;
      return verdict;
    },
    evidence: () => evidence(watched, rate.standing(), rate.limits, verdict),
  };
}

function evidence<Rate extends RateGuard>(
  watched: WatchedRate<Rate>,
  standing: RateStanding,
  limits: RateLimits,
  verdict: Verdict,
): GuardEvidence {
  const { candidate, baseline, difference, logHarm, logHarmLimit } = standing;
  return {
    name: watched.name,
    verdict,
    observed: { candidate: candidate.of, baseline: baseline.of },
    estimate: { candidate: share(candidate), baseline: share(baseline) },
    difference,
    logHarm,
    logHarmLimit,
    explanation: explanation(watched, standing, limits, verdict),
  };
}

function share({ seen, of }: { readonly seen: number; readonly of: number }): number | undefined {
  return of === 0 ? undefined : seen / of;
}

function explanation<Rate extends RateGuard>(
  { things, bad, doubt }: WatchedRate<Rate>,
  { candidate, baseline, difference }: RateStanding,
  { alpha, maxRatio, maxDifference }: RateLimits,
  verdict: Verdict,
): string {
  const of = (arm: string, count: typeof candidate) =>
    `${numberText(count.seen)} of ${numberText(count.of)} ${things} of the ${arm} ${bad}${count.of === 0 ? '' : ` (${percentText(count.seen / count.of)})`}`;
  const counts = `${of('candidate', candidate)}, ${of('baseline', baseline)}`;
  const chance = `wrong with a chance of at most ${percentText(alpha)}`;
  if (verdict === 'fail') return `${counts}: proven more often than the baseline (${chance})`;
  const margins = `less than ${maxRatio} times as often as the baseline, or less than ${percentText(maxDifference)} more`;
  if (verdict === 'pass') return `${counts}: proven ${margins} (${chance})`;
  const why = doubt?.();
  if (why !== undefined) return `${counts}: ${why}`;
  const bounds = `the difference lies between ${percentText(difference.lower)} and ${percentText(difference.upper)}`;
  return `${counts}: neither more often nor ${margins} is proven yet; ${bounds}`;
}
