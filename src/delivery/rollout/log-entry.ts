import type { ReleaseSplit, RolloutCommand, RolloutState } from '../../core/index.js';
import type { GuardEvidence } from '../guard.js';
import type { Calibration } from '../guard-spec.js';
import type { Observation } from '../observation.js';
import type { RolloutPlan } from './plan.js';
import type { ArmState, MoveCode } from './standing.js';

/**
 * One line of a rollout's log. The lines alone tell where it stands: a rollout is the fold over them (`Course`), live,
 * after a restart and in a replay. Plain data.
 */
export type LogEntry =
  | {
      readonly kind: 'started';
      readonly id: string;
      readonly plan: RolloutPlan;
      readonly candidate: number;
      readonly baseline: number;
      readonly by: string;
      readonly split: ReleaseSplit;
    }
  | { readonly kind: 'arms'; readonly candidate: ArmState; readonly baseline: ArmState; readonly reloaded: boolean }
  | { readonly kind: 'gates'; readonly passed: boolean; readonly why: string; readonly report?: unknown }
  | { readonly kind: 'calibrated'; readonly calibration: Calibration }
  | { readonly kind: 'observed'; readonly observation: Observation }
  /** The first verdict of a guard in a stage; what follows from the observations before it, kept for readers. */
  | { readonly kind: 'verdict'; readonly stage: number; readonly evidence: GuardEvidence }
  | { readonly kind: 'asked'; readonly command: RolloutCommand; readonly by: string }
  | {
      readonly kind: 'moved';
      readonly from: RolloutState;
      readonly to: RolloutState;
      readonly step: number;
      readonly code: MoveCode;
      readonly why: string;
      /** In force from now on; undefined: requests are not divided. */
      readonly split: ReleaseSplit | undefined;
      /** Serves requests that name no version from now on. */
      readonly defaultVersion: number;
      readonly guards: readonly GuardEvidence[];
    };

/** A line with its time, milliseconds since the epoch. */
export interface LoggedEntry {
  readonly atMs: number;
  readonly entry: LogEntry;
}
