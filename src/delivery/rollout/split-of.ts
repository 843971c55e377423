import { bucketsOf, type ReleaseSplit, type RolloutState } from '../../core/index.js';
import type { RolloutPlan } from './plan.js';

/** Buckets of candidate and copies. */
export interface Division {
  readonly canaryBuckets: number;
  readonly shadowBuckets: number;
}

/**
 * How requests are divided after a move; undefined: not at all. A pause leaves it as it is. Before the first step nobody
 * gets anything of the candidate, but requests are divided all the same: that is how the baseline is measured.
 */
export function divisionAfter(
  plan: RolloutPlan,
  to: RolloutState,
  step: number,
  now: Division | undefined,
): Division | undefined {
  switch (to) {
    case 'paused':
      return now;
    case 'stable':
      return { canaryBuckets: 0, shadowBuckets: 0 };
    case 'shadowing':
    case 'progressing':
      return divisionOfStep(plan, step);
    case 'rolling-back': {
      const keep = plan.keepShadowing;
      return keep === undefined ? undefined : { canaryBuckets: 0, shadowBuckets: bucketsOf(keep.percent) };
    }
    case 'promoting':
    case 'promoted':
    case 'rolled-back':
      return undefined;
  }
}

/** Version that serves requests that name none after a move. */
export function defaultAfter(to: RolloutState, versions: { readonly baseline: number; readonly candidate: number }) {
  return to === 'promoting' || to === 'promoted' ? versions.candidate : versions.baseline;
}

/** Whether two say the same. */
export function sameDivision(a: Division | undefined, b: Division | undefined): boolean {
  return a?.canaryBuckets === b?.canaryBuckets && a?.shadowBuckets === b?.shadowBuckets;
}

/** A split of a rollout with the number it is given. */
export function splitWith(
  number: number,
  division: Division,
  { id, plan, baseline, candidate }: RolloutIdentity,
): ReleaseSplit {
  const { canaryBuckets, shadowBuckets } = division;
  return {
    number,
    rollout: id,
    baseline,
    candidate,
    canaryBuckets,
    shadowBuckets,
    salt: plan.salt ?? id,
    key: plan.key,
  };
}

export interface RolloutIdentity {
  readonly id: string;
  readonly plan: RolloutPlan;
  readonly baseline: number;
  readonly candidate: number;
}

function divisionOfStep(plan: RolloutPlan, index: number): Division {
  const step = plan.steps[index];
  if (step === undefined || step.kind === 'approval') throw new Error(`no traffic in step ${index}`);
  return {
    canaryBuckets: step.kind === 'canary' ? bucketsOf(step.canaryPercent) : 0,
    shadowBuckets: bucketsOf(step.shadowPercent),
  };
}
