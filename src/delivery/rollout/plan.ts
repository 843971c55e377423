import type { GoldenLimits, RequestAttribute } from '../../core/index.js';
import type { GuardSpec } from '../guard-spec.js';
import type { HardLimitSpec } from '../hard-limits.js';

/** How a new version takes over, as a plan says it, with every default filled in. Plain data. */
export interface RolloutPlan {
  readonly model: string;
  /** `latest`: the highest version that is ready. */
  readonly candidate: number | 'latest';
  /** `serving`: the version that serves requests that name none. */
  readonly baseline: number | 'serving';
  /** `on-new-version`: a version of the model that appears starts the plan by itself; it gets no traffic before. */
  readonly start: 'now' | 'on-new-version';
  /** Undefined: the rollout's id, so that each one divides anew. */
  readonly salt?: string | undefined;
  readonly key?: RequestAttribute | undefined;
  readonly steps: readonly RolloutStep[];
  /** Before the first step; absent: what the model's own file asks. */
  readonly gates?: { readonly golden?: GoldenLimits | undefined } | undefined;
  readonly guards: readonly GuardSpec[];
  /** Chance to stop a candidate that is not worse; and, apart, to pass one that is too bad; over all guards and steps. */
  readonly alpha: number;
  readonly hardLimits: HardLimitSpec;
  readonly calibration: {
    /** Executions of the baseline that its latency quantiles are taken from. */
    readonly executions: number;
  };
  /** First executions of the candidate whose times are not looked at, after each load. */
  readonly coldStartExecutions: number;
  readonly timeLimits: { readonly stepSeconds: number; readonly totalSeconds: number };
  /** What follows where a time limit passes without a proof. */
  readonly inconclusive: 'hold' | 'rollback';
  /** What follows after the last step. */
  readonly after: 'promote' | 'hold';
  /** After a rollback: copies for diagnosis. */
  readonly keepShadowing?: { readonly percent: number; readonly seconds: number } | undefined;
  /** Names of webhooks of the server's config; undefined: all. */
  readonly notify?: readonly string[] | undefined;
}

/** Which guards must have passed before a step is left: all, none, or those named. */
export type Required = 'all' | 'none' | readonly string[];

export type RolloutStep =
  | {
      readonly kind: 'shadow';
      readonly shadowPercent: number;
      /** Copies compared before the step is left. */
      readonly requests: number;
      readonly minSeconds: number;
      readonly requires?: Required | undefined;
    }
  | {
      readonly kind: 'canary';
      readonly canaryPercent: number;
      /** Of the baseline's requests, copied to the candidate too. */
      readonly shadowPercent: number;
      readonly minSeconds: number;
      /** Of the candidate's own, counted from the step's beginning. */
      readonly minRequests: number;
      readonly requires?: Required | undefined;
    }
  | { readonly kind: 'approval'; readonly who: string };

/** Guards that only copies tell of. */
const SHADOW_METRICS: readonly GuardSpec['metric'][] = ['shadow-agreement', 'shadow-distance'];

export function ofShadow(guard: GuardSpec): boolean {
  return SHADOW_METRICS.includes(guard.metric);
}

/**
 * Names of the guards that must have passed before step `index` is left. Without a word of the plan: those of copies
 * after the last step that only makes copies, all before the candidate gets everything and before the end.
 */
export function requiredGuards(plan: RolloutPlan, index: number): readonly string[] {
  const step = plan.steps[index];
  if (step === undefined || step.kind === 'approval') return [];
  const all = plan.guards.map(({ name }) => name);
  const last = nextTraffic(plan, index);
  if (last === undefined || (last.kind === 'canary' && last.canaryPercent >= 100)) return all;
  if (step.requires !== undefined) return step.requires === 'all' ? all : step.requires === 'none' ? [] : step.requires;
  if (step.kind !== 'shadow' || last.kind === 'shadow') return [];
  return last.shadowPercent > 0 ? [] : plan.guards.filter(ofShadow).map(({ name }) => name);
}

function nextTraffic(plan: RolloutPlan, index: number): Exclude<RolloutStep, { kind: 'approval' }> | undefined {
  for (const step of plan.steps.slice(index + 1)) if (step.kind !== 'approval') return step;
  return undefined;
}

/**
 * Stages in which a guard may be asked anew: it is renewed when a step with more traffic begins after it passed, so alpha is
 * divided among as many (`RenewedGuards`). Steps without a baseline beside ask none.
 */
export function guardStages(plan: RolloutPlan): number {
  const asked = plan.steps.filter((step) => step.kind !== 'approval' && !isWhole(step));
  return Math.max(1, asked.length);
}

/** A step in which the candidate answers everything: nothing is there to compare it with. */
export function isWhole(step: RolloutStep): boolean {
  return step.kind === 'canary' && step.canaryPercent >= 100;
}
