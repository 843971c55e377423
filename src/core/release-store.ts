import type { FeedbackChange } from './feedback-store.js';
import type { ModelRelease } from './release.js';

/** A rollout as it is kept; `plan` and `progress` are JSON texts of `delivery`. */
export interface RolloutRecord {
  readonly id: string;
  readonly model: string;
  readonly state: string;
  readonly plan: string;
  readonly progress: string;
  /** Milliseconds since the epoch. */
  readonly updatedMs: number;
}

/** One line of a rollout's log: what was seen, decided or asked for. `body` is a JSON text. */
export interface DecisionEntry {
  readonly rollout: string;
  readonly atMs: number;
  readonly kind: string;
  readonly body: string;
}

/** What changes together, or not at all. */
export interface ReleaseChange {
  readonly rollout?: RolloutRecord;
  readonly decisions?: readonly DecisionEntry[];
  /** Undefined release: the model has none any more. */
  readonly release?: { readonly model: string; readonly release: ModelRelease | undefined };
  /** `routes` document of a model as JSON text, set by an operator; undefined document: the file's own count again. */
  readonly routes?: { readonly model: string; readonly document: string | undefined };
  /** Labels that the observations among `decisions` took are no longer waiting to be counted. */
  readonly feedback?: FeedbackChange;
}

/** The state that outlives the process in numbers, for metrics. */
export interface StateFigures {
  /** Whether what is committed now is still there after an end of the process. */
  readonly durable: boolean;
  /** Changes that could not be written since the start. */
  readonly writeFailures: number;
}

/**
 * Where releases last. Every method is synchronous; `commit` outlives the process when it returns, and a loss of power too where it has
 * more than decisions of kind `observed`, so that what is published is kept.
 */
export interface ReleaseStore {
  /** One transaction. Throws INTERNAL where it cannot be written; then nothing of it is. */
  commit(change: ReleaseChange): void;
  rollouts(): readonly RolloutRecord[];
  /** In the order they were written, from `after` (a sequence number, exclusive) on, at most `most`. */
  decisions(rollout: string, after?: number, most?: number): readonly (DecisionEntry & { readonly sequence: number })[];
  releases(): ReadonlyMap<string, ModelRelease>;
  routes(): ReadonlyMap<string, string>;
  /** The next number for a split; never given twice, over restarts too. */
  nextSplitNumber(): number;
}
