import type { Reason } from './errors.js';

/** One request that a split sent to an arm has its outcome. */
export interface SettledFact {
  readonly kind: 'settled';
  readonly model: string;
  /** The version that answered. */
  readonly version: number;
  /** `ReleaseSplit.number` of the split that chose it. */
  readonly split: number;
  /** As the client named it; empty = not at all, or in more than 256 characters. */
  readonly requestId: string;
  /** Undefined: it was answered. */
  readonly reason: Reason | undefined;
  /** From the first byte of the request to its outcome. */
  readonly totalNs: number;
  /** The execution it was part of: unique for a version while that is loaded, shared by batch-mates; 0 = it was in none. */
  readonly execution: number;
  /** Its part of the execution's time on the device, by rows. */
  readonly deviceNs: number;
  /** Undefined where it was not answered, or the model has no output of numbers. */
  readonly output: OutputSummary | undefined;
}

/** What is kept of the first output of numbers, first row. */
export interface OutputSummary {
  /** Index of its largest element; -1: all are NaN. */
  readonly topIndex: number;
  /** Its largest element; 0 where all are NaN. */
  readonly topValue: number;
  /** Whether every element of every output looked at is a finite number. */
  readonly finite: boolean;
}

/** An answer of the baseline beside the answer that the candidate gave to a copy of the request. */
export interface ComparedFact {
  readonly kind: 'compared';
  readonly model: string;
  /** The candidate. */
  readonly version: number;
  /** Of the split that assigned the request; 0: a shadow that routes name, of no rollout. */
  readonly split: number;
  readonly requestId: string;
  /** What their executions took, queue and reply left out; `candidateNs` is 0 where it failed. */
  readonly baselineNs: number;
  readonly candidateNs: number;
  readonly candidateDeviceNs: number;
  /** Undefined: the candidate failed, for `reason`. */
  readonly comparison: OutputComparison | undefined;
  readonly reason: Reason | undefined;
}

/** How two answers to the same request differ, over all their outputs, as far as they are looked at. */
export interface OutputComparison {
  /** Every float within the tolerances, integers and texts equal, shapes equal. */
  readonly agrees: boolean;
  /** Whether the largest elements stand in the same place, rows all; undefined where there is no output of numbers. */
  readonly topAgrees: boolean | undefined;
  /** Where a number stands beside none (NaN, an infinity): the largest double, so that it can be kept as JSON. */
  readonly maxAbsoluteError: number;
  /** By the larger of two sizes: 0 to 2, and 1 where the reference is 0. */
  readonly maxRelativeError: number;
  /** Spearman's, of the first output of numbers, mean over rows; undefined where a row has fewer than 3 elements. */
  readonly rankCorrelation: number | undefined;
  /** Of the outputs where they are distributions (not negative, sum 1 within 1e-3), mean over rows; else undefined. */
  readonly totalVariation: number | undefined;
}

/** A copy was not made or not compared, so as not to be in the way of requests. */
export interface DroppedShadowFact {
  readonly kind: 'shadow-dropped';
  readonly model: string;
  /** The candidate. */
  readonly version: number;
  /** As in `ComparedFact`. */
  readonly split: number;
}

export type ReleaseFact = SettledFact | ComparedFact | DroppedShadowFact;

/** Takes facts where requests are answered; of other threads they come in bunches, some milliseconds later. Must not throw. */
export interface ReleaseFacts {
  note(fact: ReleaseFact): void;
  /** So many facts of another thread were not passed on: it made more than this one took. */
  lost?(facts: number): void;
}
