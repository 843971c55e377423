import type { ModelVersionId } from './model.js';

/** What somebody learned of one prediction after it was made. */
export interface Feedback {
  readonly model: string;
  /** The id that the request named. */
  readonly requestId: string;
  /** What is measured, e.g. `quality` or `revenue`: guards name it. */
  readonly metric: string;
  readonly said: Judgment;
}

/** `label` is compared with the prediction: a number with its top index, a text by the class names of the model's output. */
export type Judgment =
  | { readonly kind: 'correct'; readonly correct: boolean }
  | { readonly kind: 'label'; readonly label: number | string }
  | { readonly kind: 'value'; readonly value: number };

/**
 * What became of one item. `joined`: its prediction is known. `unknown`: no prediction of that id is; the item waits a while
 * for it. `duplicate`: the prediction has one of that metric. `late`: past the time in which labels count. `refused`: says why.
 */
export type FeedbackOutcome =
  | { readonly kind: 'joined' | 'unknown' | 'duplicate' | 'late' }
  | { readonly kind: 'refused'; readonly why: string };

/** Takes feedback, on the control thread. Never throws. */
export interface FeedbackIntake {
  accept(feedback: Feedback): FeedbackOutcome;
}

/** Figures of feedback for metrics; counters since the start. */
export interface FeedbackFigures {
  /** Items by what became of them when they came. */
  readonly outcomes: Readonly<Record<FeedbackOutcome['kind'], number>>;
  /** Of `unknown`, those whose prediction came in time after all. */
  readonly joinedEarly: number;
  /** Predictions and waiting items held now. */
  readonly predictions: number;
  readonly waiting: number;
  /** Joins that are not in the store yet, where they are kept in one: what a kill would lose. */
  readonly unwritten: number;
  /** Answers that feedback cannot be joined with: their request had no id, or one that another request had. */
  readonly unnamed: number;
  readonly ambiguous: number;
  /** By version: predictions made under a rollout, and those that have feedback. */
  readonly versions: readonly (ModelVersionId & { readonly predicted: number; readonly labelled: number })[];
}

/** The metric of an item that names none. */
export const DEFAULT_FEEDBACK_METRIC = 'quality';
