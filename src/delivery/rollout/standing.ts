import type { RolloutState } from '../../core/index.js';
import type { Verdict } from '../rate-guard.js';

/** Why a rollout moved; stable words, in logs and notices. */
export type MoveCode =
  | 'begun'
  | 'step-done'
  | 'approval-needed'
  | 'approved'
  | 'paused-by-operator'
  | 'resumed'
  | 'version-not-ready'
  | 'version-ready'
  | 'reloaded'
  | 'sample-ratio'
  | 'inconclusive'
  | 'held'
  | 'all-passed'
  | 'promoted-by-operator'
  | 'in-force'
  | 'aborted'
  | 'guard-failed'
  | 'hard-limit'
  | 'gate-failed'
  | 'candidate-gone'
  | 'settled';

/** Whether a version of the rollout can answer. `gone`: it is not served, nor being loaded. */
export type ArmState = 'ready' | 'loading' | 'impaired' | 'gone';

/** What an operator asked for and has not been done yet. */
export interface Wishes {
  readonly pause?: { readonly by: string };
  readonly resume?: { readonly by: string };
  readonly approve?: { readonly by: string };
  readonly promote?: { readonly by: string; readonly force: boolean };
  readonly abort?: { readonly by: string };
}

/** Where a rollout stands. Plain data; times in milliseconds since the epoch. */
export interface Standing {
  readonly state: RolloutState;
  /** Index into the plan's steps; while `stable` the one that comes first. */
  readonly step: number;
  /** Beginning of the step. */
  readonly stepSinceMs: number;
  /** Of the last move. */
  readonly sinceMs: number;
  /** What the time limits count from: the beginning, or the last time an operator let it go on. */
  readonly stepLimitFromMs: number;
  readonly totalLimitFromMs: number;
  /** While paused: why, and what it goes back to. */
  readonly pause: { readonly code: MoveCode; readonly why: string; readonly from: RolloutState } | undefined;
  readonly wishes: Wishes;
}

export interface GuardFinding {
  readonly name: string;
  /** Of the guard as it was last renewed. */
  readonly verdict: Verdict;
  /** Whether it has passed in this or an earlier stage. */
  readonly passed: boolean;
  readonly explanation: string;
}

/** What is known of a rollout when a move is decided. Plain data. */
export interface Findings {
  readonly arms: { readonly candidate: ArmState; readonly baseline: ArmState };
  /** The candidate was loaded anew since the rollout began or was resumed. */
  readonly reloaded: boolean;
  /** Undefined: not known yet. */
  readonly gates: { readonly passed: boolean; readonly why: string } | undefined;
  readonly calibrated: boolean;
  readonly guards: readonly GuardFinding[];
  /** What a hard limit says, or undefined. */
  readonly hardLimit: string | undefined;
  /** Why the split is not what was asked for, or undefined. */
  readonly sampleRatio: string | undefined;
  /** Of this step: copies compared, and requests that the candidate answered itself. */
  readonly compared: number;
  readonly requests: number;
}
