import { type GateReport, type GoldenLimits, toServingError } from '../core/index.js';
import type { GatedVersion, GateOutcome } from '../delivery/index.js';
import type { Gates } from '../gates/index.js';
import type { ModelRepository } from '../models/index.js';

/** What is asked of the gates of versions that are loaded, or failed to load. */
export interface GateQuestion {
  readonly model: string;
  readonly candidate: number;
  /** Undefined: limits beside the version that serves do not count. */
  readonly baseline: number | undefined;
  /** Those of a plan stand for the model's own. */
  readonly limits?: GoldenLimits | undefined;
}

/** Asks the gates. Never rejects: what could not be found out is against the candidate. */
export async function askGates(
  gates: Gates,
  models: ModelRepository,
  { model, candidate, baseline, limits }: GateQuestion,
): Promise<GateReport> {
  const before = gates.report({ model, version: candidate });
  try {
    const { target, files } = models.probed(model, candidate);
    const beside = baseline === undefined ? undefined : models.probed(model, baseline).target;
    return await gates.compare(files, target, beside, limits);
  } catch (thrown) {
    if (before?.passed === false) return before;
    const faults = [toServingError(thrown).message];
    const nothing = { golden: undefined, card: 'none', signature: 'not looked at' } as const;
    return { ...nothing, ...before, model, version: candidate, passed: false, faults };
  }
}

/** What a rollout asks before its first step: the gates beside the baseline, by the limits of its plan. Never rejects. */
export async function releaseGate(
  gates: Gates,
  models: ModelRepository,
  { model, candidate, baseline, plan }: GatedVersion,
): Promise<GateOutcome> {
  const report = await askGates(gates, models, { model, candidate, baseline, limits: plan.gates?.golden });
  const { passed, faults, golden } = report;
  const asked = golden === undefined ? 'no golden set is beside the model' : 'the golden set is passed';
  return { passed, why: passed ? asked : faults.join('; '), report };
}
