import type { RolloutPlan } from './plan.js';
import type { PlanFault, PlanVersions } from './plan-versions.js';

/**
 * Where a plan asks for copies that would never be made; undefined: nowhere. `uncopied`: why a version takes none. A step
 * without comparisons would end by its time limit alone, so this is asked before anything begins. Pure.
 */
export function copiesFault(
  plan: Pick<RolloutPlan, 'steps' | 'keepShadowing'>,
  uncopied: (version: number) => string | undefined,
  { candidate, baseline }: PlanVersions,
): PlanFault | undefined {
  const path = firstCopies(plan);
  if (path === undefined) return undefined;
  for (const version of [candidate, baseline]) {
    const why = uncopied(version);
    if (why !== undefined) return { path, message: `copies cannot be compared: version ${version} takes none: ${why}` };
  }
  return undefined;
}

/** Where a plan first asks for copies. */
function firstCopies({
  steps,
  keepShadowing,
}: Pick<RolloutPlan, 'steps' | 'keepShadowing'>): PlanFault['path'] | undefined {
  const step = steps.findIndex((one) => one.kind !== 'approval' && one.shadowPercent > 0);
  if (step >= 0) return ['steps', step];
  return keepShadowing !== undefined && keepShadowing.percent > 0 ? ['keepShadowing'] : undefined;
}
