import type { Guard, GuardEvidence } from '../guard.js';
import type { Calibration, GuardSpec } from '../guard-spec.js';
import { createGuards } from '../guards/create-guards.js';
import type { Observation } from '../observation.js';
import { guardStages, type RolloutPlan } from './plan.js';
import type { GuardFinding } from './standing.js';

interface Watched {
  readonly spec: GuardSpec;
  guard: Guard;
  /** Evidence of the stage in which it passed, the last one. */
  passed: GuardEvidence | undefined;
}

/** A guard that has just come to a verdict. */
export interface FreshVerdict {
  readonly stage: number;
  readonly evidence: GuardEvidence;
}

/**
 * The guards of a rollout over its stages. The first verdict of a guard stands, so one that passed at a small share would
 * not see what breaks at a large one: when a step with more traffic begins, guards that have passed begin anew, and the
 * earlier pass stays on the books. Each beginning has an equal part of alpha, so that all together have no more than it.
 */
export class RenewedGuards {
  readonly #make: () => readonly Guard[];
  readonly #watched: readonly Watched[];
  #stage = 1;

  constructor(plan: RolloutPlan, calibration: Calibration) {
    this.#make = () => createGuards(plan.guards, plan.alpha / guardStages(plan), calibration);
    const guards = this.#make();
    this.#watched = plan.guards.map((spec) => ({ spec, guard: guardOf(guards, spec), passed: undefined }));
  }

  observe(seen: Observation): FreshVerdict[] {
    const fresh: FreshVerdict[] = [];
    for (const watched of this.#watched) {
      const { guard } = watched;
      if (guard.verdict !== 'inconclusive') continue;
      const verdict = guard.observe(seen);
      if (verdict === 'inconclusive') continue;
      const evidence = guard.evidence();
      if (verdict === 'pass') watched.passed = evidence;
      fresh.push({ stage: this.#stage, evidence });
    }
    return fresh;
  }

  /** A step with more traffic begins. */
  renew(): void {
    this.#stage++;
    const fresh = this.#make();
    for (const watched of this.#watched)
      if (watched.guard.verdict === 'pass') watched.guard = guardOf(fresh, watched.spec);
  }

  findings(): GuardFinding[] {
    return this.#watched.map(({ guard, passed, spec: { name } }) => ({
      name,
      verdict: guard.verdict,
      passed: passed !== undefined,
      explanation: guard.verdict === 'inconclusive' ? '' : guard.evidence().explanation,
    }));
  }

  /** Where each stands; of one that passed and has seen nothing since, the pass. */
  evidence(): GuardEvidence[] {
    return this.#watched.map(({ guard, passed }) => {
      const now = guard.evidence();
      return passed !== undefined && now.observed.candidate === 0 ? passed : now;
    });
  }
}

function guardOf(guards: readonly Guard[], { name }: GuardSpec): Guard {
  const guard = guards.find((one) => one.name === name);
  if (guard === undefined) throw new Error(`no guard was made for '${name}'`);
  return guard;
}
