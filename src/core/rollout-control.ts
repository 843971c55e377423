import type { DecisionEntry } from './release-store.js';
import type { RolloutState } from './rollout-state.js';

/** What an operator may ask of a rollout. */
export type RolloutCommand =
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'approve' }
  /** `force`: also without a pass of every guard. */
  | { readonly kind: 'promote'; readonly force: boolean }
  | { readonly kind: 'abort' };

/** A rollout in a line. Times in milliseconds since the epoch. */
export interface RolloutSummary {
  readonly id: string;
  readonly model: string;
  readonly candidate: number;
  readonly baseline: number;
  readonly state: RolloutState;
  /** From 0, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Why it stands where it stands. */
  readonly why: string;
  readonly startedMs: number;
  readonly updatedMs: number;
}

/** A rollout as it stands. */
export interface RolloutStatus extends RolloutSummary {
  /** Serves requests that name no version, as far as this rollout has a say. */
  readonly defaultVersion: number;
  readonly canaryPercent: number;
  readonly shadowPercent: number;
  /** What the next move needs; empty once it has ended. */
  readonly waitingFor: readonly string[];
  /** Requests of each arm and compared copies since the baseline was measured. */
  readonly totals: { readonly baseline: number; readonly candidate: number; readonly compared: number };
  /** Where each guard stands (`GuardEvidence` of `delivery`). */
  readonly guards: readonly object[];
  /** As it was read, with its defaults (`RolloutPlan` of `delivery`). */
  readonly plan: object;
}

/** Rollouts and webhooks in numbers, for metrics. */
export interface RolloutFigures {
  /** Those that have not ended. */
  readonly running: readonly Pick<RolloutStatus, 'id' | 'model' | 'state' | 'canaryPercent' | 'shadowPercent'>[];
  /** How rollouts ended since the start, by model. */
  readonly ended: readonly { readonly model: string; readonly state: RolloutState; readonly count: number }[];
  /** Counters since the start; `waiting` now. */
  readonly webhooks: readonly {
    readonly name: string;
    readonly delivered: number;
    readonly failed: number;
    readonly dropped: number;
    readonly waiting: number;
  }[];
}

/**
 * Rollouts as operators see them. A change that returns is kept and in force. `id`: of a rollout, or the name of a model,
 * whose last one is meant. Throws MODEL_NOT_FOUND where there is none, CONFLICT where it cannot be as things stand,
 * MALFORMED_REQUEST for a plan that cannot be, with the line at fault. `by`: who asks, for the log.
 */
export interface RolloutControl {
  /** `document`: a plan as YAML or JSON; `name` of it for messages. */
  start(document: string, name: string, by: string): RolloutStatus;
  /** The last first. */
  list(): readonly RolloutSummary[];
  status(id: string): RolloutStatus;
  ask(id: string, command: RolloutCommand, by: string): RolloutStatus;
  /** Lines of its log after the one numbered `after`, at most `most`. */
  log(id: string, after: number, most: number): readonly (DecisionEntry & { readonly sequence: number })[];
  /** The model's default is the highest version again, as without rollouts. */
  unpin(model: string, by: string): void;
}
