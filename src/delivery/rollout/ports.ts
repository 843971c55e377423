import type { Clock, FeedbackChange, Log, ReleaseStore, RolloutState } from '../../core/index.js';
import type { GuardEvidence } from '../guard.js';
import type { LabelSource } from './collector.js';
import type { RolloutPlan } from './plan.js';
import type { ArmState, MoveCode } from './standing.js';

/** Which versions there are. Synchronous. */
export interface VersionSource {
  /** Whether the version can answer now. */
  state(model: string, version: number): ArmState;
  /** Whether a version that was promoted would not be the default of its model by itself, now and when another one comes. */
  needsPin(model: string, version: number): boolean;
}

/** What a candidate has to show before it gets anything (golden sets, model card, signature). */
export interface ReleaseGate {
  /** Never rejects: what could not be found out is a refusal with the reason. */
  check(gated: GatedVersion): Promise<GateOutcome>;
}

export interface GatedVersion {
  readonly model: string;
  readonly candidate: number;
  readonly baseline: number;
  readonly plan: RolloutPlan;
}

export interface GateOutcome {
  readonly passed: boolean;
  /** In words. */
  readonly why: string;
  /** Plain data for the log. */
  readonly report?: unknown;
}

/** A move, for whoever is to be told of it. Plain data. */
export interface RolloutNotice {
  readonly id: string;
  readonly model: string;
  readonly candidate: number;
  readonly baseline: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** From 1 on within the rollout. */
  readonly number: number;
  readonly from: RolloutState;
  readonly to: RolloutState;
  readonly step: number;
  readonly code: MoveCode;
  readonly why: string;
  readonly guards: readonly GuardEvidence[];
}

/** Takes notices and returns at once; what becomes of them is not the engine's concern. Must not throw. */
export interface RolloutNotices {
  tell(notice: RolloutNotice, to: readonly string[] | undefined): void;
}

/** Labels, and what of them is kept together with the observations that took them. */
export interface LabelBooks extends LabelSource {
  /** Undefined: nothing. */
  changeWith(rollout: string): FeedbackChange | undefined;
  /** What the rollout took so far is in observations that are kept, or counts for nothing. */
  keptWith(rollout: string): void;
}

/** All that the engine has of the world. */
export interface RolloutPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ReleaseStore;
  /** Has `RolloutEngine.release` asked anew for the model; in force on this thread when it returns. */
  readonly traffic: { changed(model: string): void };
  readonly versions: VersionSource;
  readonly gate: ReleaseGate;
  readonly notices: RolloutNotices;
  readonly labels: LabelBooks | undefined;
}
