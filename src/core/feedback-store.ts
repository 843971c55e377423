/** Some joins of feedback that were written together: predictions, what was told of them, items that wait. `body` is a JSON text of `delivery`. */
export interface FeedbackBunch {
  /** Numbers of the last prediction and the last waiting item when it was written: it says nothing of later ones. */
  readonly lastPrediction: number;
  readonly lastEarly: number;
  readonly body: string;
}

/** Labels that no observation has taken yet, of predictions of a version under a split at about one time. */
export interface LabelSums {
  readonly split: number;
  readonly metric: string;
  /** Middle of the stretch in which they were predicted, milliseconds since the epoch. */
  readonly aroundMs: number;
  readonly version: number;
  /** 0: there are none any more. */
  readonly labels: number;
  readonly wrong: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

/** What changes of the joins, together or not at all. */
export interface FeedbackChange {
  /** Bunches, or sums, of before are forgotten first. */
  readonly bunchesAnew: boolean;
  readonly sumsAnew: boolean;
  readonly bunch: FeedbackBunch | undefined;
  /** Each in the place of the one for the same split, metric, time and version. */
  readonly sums: readonly LabelSums[];
  /** Bunches that speak only of what is before these numbers may go. */
  readonly firstPrediction: number;
  readonly firstEarly: number;
}

/** Where joins of feedback last. Synchronous. `ReleaseChange.feedback` is the other way in, beside the observation that took labels. */
export interface FeedbackStore {
  /** Whether anything is there after an end of the process. */
  readonly durable: boolean;
  /** One transaction, which outlives the process and is not synced. Throws INTERNAL; then nothing is changed. */
  keepFeedback(change: FeedbackChange): void;
  /** In the order they were written, from `after` (a sequence number, exclusive) on, at most `most`. */
  feedbackBunches(after: number, most: number): readonly (FeedbackBunch & { readonly sequence: number })[];
  labelSums(): readonly LabelSums[];
}
