import type { BatchGuard } from '../batch-guard.js';
import type { Guard } from '../guard.js';
import type { Observation } from '../observation.js';
import type { RateGuard, RateLimits, RateStanding, Verdict } from '../rate-guard.js';
import type { Count } from '../statistics/proportion-sequence.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText, percentText } from './in-words.js';

/** A rate as the guard of a plan: what it takes of an observation, and how it speaks of it. */
export interface WatchedRate<Rate extends RateGuard = BatchGuard> {
  readonly name: string;
  readonly rate: Rate;
  take(rate: Rate, seen: Observation): Verdict;
  /** What is counted, and what is bad about the bad ones: `requests`, `failed`. */
  readonly things: string;
  readonly bad: string;
  /** What else is to be said, after it. */
  readonly note?: () => string;
}

/** The guard that watches a rate. */
export function rateGuard<Rate extends RateGuard>(watched: WatchedRate<Rate>): Guard {
  const { name, rate, take } = watched;
  return firstVerdict(name, {
    observe: (seen) => take(rate, seen),
    evidence: (verdict) => {
      const standing = rate.standing();
      const { candidate, baseline, difference, logHarm, logHarmLimit } = standing;
      return {
        observed: { candidate: candidate.of, baseline: baseline.of },
        estimate: { candidate: share(candidate), baseline: share(baseline) },
        difference,
        logHarm,
        logHarmLimit,
        explanation: explanation(watched, standing, rate.limits, verdict),
      };
    },
  });
}

function share({ seen, of }: Count): number | undefined {
  return of === 0 ? undefined : seen / of;
}

function explanation<Rate extends RateGuard>(
  { things, bad, note }: WatchedRate<Rate>,
  { candidate, baseline, difference }: RateStanding,
  { alpha, maxRatio, maxDifference }: RateLimits,
  verdict: Verdict,
): string {
  const inArm = (arm: string, { seen, of }: Count) =>
    `${numberText(seen)} of ${numberText(of)} ${things} of the ${arm} ${bad}${of === 0 ? '' : ` (${percentText(seen / of)})`}`;
  const counts = `${inArm('candidate', candidate)}, ${inArm('baseline', baseline)}`;
  const margins = `less than ${maxRatio} times as often as the baseline, or less than ${percentText(maxDifference)} more`;
  const bounds = `the difference lies between ${percentText(difference.lower)} and ${percentText(difference.upper)}`;
  const words = {
    fail: `proven more often than the baseline${chanceText(alpha)}`,
    pass: `proven ${margins}${chanceText(alpha)}`,
    inconclusive: `neither more often nor ${margins} is proven yet; ${bounds}`,
  } as const satisfies Record<Verdict, string>;
  return `${counts}: ${words[verdict]}${note === undefined ? '' : `; ${note()}`}`;
}
