import type { RolloutPlan } from './plan.js';

/** What is wrong with a plan, and where: keys from its root. */
export interface PlanFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The versions that a plan means. */
export interface PlanVersions {
  readonly candidate: number;
  readonly baseline: number;
}

/**
 * Which versions a plan means, or why it cannot mean any. `latest` is the highest that is ready. `serving` is the one that
 * serves requests that name none; where that is the candidate itself, which came without a rollout, the highest below it.
 * Pure.
 */
export function versionsOf(
  plan: Pick<RolloutPlan, 'candidate' | 'baseline'>,
  ready: readonly number[],
  serving: number | undefined,
): PlanVersions | PlanFault {
  const served = `served: ${ready.join(', ') || 'none'}`;
  const candidate = plan.candidate === 'latest' ? Math.max(...ready) : plan.candidate;
  if (!ready.includes(candidate))
    return { path: ['candidate'], message: `version ${plan.candidate} is not served; ${served}` };
  const below = ready.filter((version) => version < candidate);
  const baseline =
    plan.baseline !== 'serving'
      ? plan.baseline
      : serving === candidate || serving === undefined
        ? below.at(-1)
        : serving;
  if (baseline === undefined)
    return {
      path: ['baseline'],
      message: `no version is there beside ${candidate} to go back to; ${served} (version_policy of the model says which are)`,
    };
  if (!ready.includes(baseline)) return { path: ['baseline'], message: `version ${baseline} is not served; ${served}` };
  if (baseline === candidate)
    return { path: ['baseline'], message: `version ${baseline} is the candidate itself; ${served}` };
  return { candidate, baseline };
}
