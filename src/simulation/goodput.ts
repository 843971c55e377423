import { fluidBoundPerSecond, type Load, type Random } from './load.js';
import type { Senders } from './mix.js';
import type { Policy } from './policies/policy.js';
import { type RunResult, run } from './run.js';

/** A way to make arrivals, in ms from the start, for a mean rate; and the randomness of executions, anew for each run. */
export interface Trial {
  readonly arrivalsMs: (perSecond: number) => Float64Array;
  readonly random: () => Random;
  /** Who sends them, anew for each run; absent: all are alike. */
  readonly senders?: () => Senders;
}

/** Share of all requests that must be in time. */
export const IN_TIME_SHARE = 0.99;

/** Bisection ends where the rate is known to about half a per cent. */
const STEPS = 11;

/** The highest rate found at which enough requests are in time, and the run at it. */
export interface Goodput {
  readonly perSecond: number;
  readonly atThatRate: RunResult;
}

/**
 * The goodput of the best of `variants`: the largest mean rate at which `IN_TIME_SHARE` of all requests are answered within
 * the SLO, by geometric bisection of a bracket about the fluid bound. 0 where no rate of the bracket does it.
 */
export function goodput(load: Load, variants: readonly (() => Policy)[], trial: Trial): Goodput {
  let best: Goodput | undefined;
  for (const variant of variants) {
    const found = bisect(load, variant, trial);
    if (best === undefined || found.perSecond > best.perSecond) best = found;
  }
  if (best === undefined) throw new Error('a policy without variants');
  return best;
}

function bisect(load: Load, variant: () => Policy, trial: Trial): Goodput {
  const at = (perSecond: number) =>
    run(load, variant(), trial.arrivalsMs(perSecond), trial.random(), trial.senders?.());
  const enough = (result: RunResult) => result.inTime >= IN_TIME_SHARE * result.requests;
  const scale = fluidBoundPerSecond(load) || (load.instances * 1e9) / load.curve.meanNs(1);
  let low = scale / 50;
  let high = scale * 1.3;
  let result = at(low);
  if (!enough(result)) return { perSecond: 0, atThatRate: result };
  for (let step = 0; step < STEPS; step++) {
    const middle = Math.sqrt(low * high);
    const tried = at(middle);
    if (enough(tried)) {
      low = middle;
      result = tried;
    } else high = middle;
  }
  return { perSecond: low, atThatRate: result };
}

/** Most instances that are tried. */
const INSTANCES_AT_MOST = 4096;

/** The fewest instances at which enough of the requests are in time at `perSecond`; undefined where none are enough. */
export function instancesFor(load: Load, variant: () => Policy, trial: Trial, perSecond: number): number | undefined {
  const arrivals = trial.arrivalsMs(perSecond);
  const enough = (instances: number) => {
    const result = run({ ...load, instances }, variant(), arrivals, trial.random(), trial.senders?.());
    return result.inTime >= IN_TIME_SHARE * result.requests;
  };
  let high = 1;
  while (!enough(high)) {
    high *= 2;
    if (high > INSTANCES_AT_MOST) return undefined;
  }
  let low = high >> 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
