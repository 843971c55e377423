/**
 * What the arms of a rollout did in one stretch of time under one split: all that guards ever see. Plain data, written to
 * the decision log as it is, so that a log replayed gives the same verdicts.
 */
export interface Observation {
  /** End of the stretch, milliseconds since the epoch. */
  readonly atMs: number;
  readonly split: number;
  /** The candidate's share of the requests, 0 to 1. */
  readonly share: number;
  readonly baseline: ArmTally;
  readonly candidate: ArmTally;
  readonly shadow: ShadowTally;
  /** By name of the metric: labels that came in this stretch for predictions made under this split. */
  readonly feedback: Readonly<Record<string, FeedbackTally>>;
}

/** One arm's requests. */
export interface ArmTally {
  readonly requests: number;
  /** Requests that failed by the server's fault; a caller's own mistakes count as neither. */
  readonly errors: number;
  /**
   * Executions by how many of their requests are errors: cell i counts those with i + 1; ends with the last cell above 0. The
   * rest of `errors` were in no execution and came one by one.
   */
  readonly errorsTogether: readonly number[];
  /** Answers with an element that is not a finite number. */
  readonly notFinite: number;
  /** Executions: requests of one execution share their fate, so they are one observation of time. */
  readonly executions: number;
  /** Requests of the largest of them, good or bad; 0 without any. */
  readonly largestExecution: number;
  /** Executions slower than each limit of the rollout's calibration, in its order. */
  readonly slower: readonly number[];
  /**
   * Device nanoseconds of an execution (the parts of this arm's requests together), by how many requests those are: cell
   * `sizeCell(requests)`. Small batches cost more a request, and a small share makes small batches.
   */
  readonly deviceBySize: readonly Moments[];
  /** Answers by where their summary falls: `topIndex` where it is below 63, the last of 64 cells holds the rest. */
  readonly outputs: readonly number[];
  /** Largest element of the answers. */
  readonly outputValue: Moments;
}

/** Enough for a mean and its spread. */
export interface Moments {
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

export interface ShadowTally {
  readonly compared: number;
  readonly agreed: number;
  readonly topCompared: number;
  readonly topAgreed: number;
  /** Copies that the candidate failed. */
  readonly failed: number;
  /** Copies not made, so as not to be in the way. */
  readonly dropped: number;
  readonly rankCorrelation: Moments;
  readonly totalVariation: Moments;
}

/** Labels by arm of the prediction they belong to. */
export interface FeedbackTally {
  readonly baseline: LabelTally;
  readonly candidate: LabelTally;
}

export interface LabelTally {
  readonly labels: number;
  /** Labels that say the prediction was wrong; 0 for metrics that are values. */
  readonly wrong: number;
  readonly value: Moments;
}

/** Sizes that have a cell of their own; above, a cell is a quarter of an octave. */
const EXACT_SIZES = 16;

/** Cell of `ArmTally.deviceBySize` for executions of so many requests, at least 1. */
export function sizeCell(requests: number): number {
  return requests <= EXACT_SIZES ? requests - 1 : EXACT_SIZES - 1 + Math.ceil(4 * Math.log2(requests / EXACT_SIZES));
}
