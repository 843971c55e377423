import type { LabelSums, ReleaseSplit } from '../../core/index.js';
import type { FeedbackTally, LabelTally } from '../observation.js';
import { NO_LABELS, type PlacedSum, StoredSums, type SumPlace, sumOf } from './stored-sums.js';

/** One item that found its prediction. */
export interface JoinedLabel {
  readonly metric: string;
  readonly version: number;
  readonly split: number;
  readonly predictedMs: number;
  /** Undefined: the metric is a value. */
  readonly wrong: boolean | undefined;
  /** 0 or 1 for labels: how wrong. */
  readonly value: number;
  /** Whether the store has to hold it until an observation that has it is kept. */
  readonly stored: boolean;
}

/** The split whose labels are asked for; `rollout` is the one that asks. */
export type AskedSplit = Pick<ReleaseSplit, 'number' | 'rollout' | 'baseline' | 'candidate'>;

/** Splits whose labels nobody took; older ones are forgotten. */
const MOST_SPLITS = 256;
/** Metrics of one split. */
const MOST_METRICS = 32;
const COHORTS_IN_SETTLING = 10;

type Cohort = Map<number, LabelTally>;

/**
 * Labels by split, metric and time of prediction. With a settling time, labels count only where they come within it of
 * their prediction, and those of a cohort (predictions of a tenth of it) are handed on together when it has passed: in both
 * arms every prediction had the same time to get a label, and quick labels are not heard before slow ones. Without, they are
 * handed on as they come, which is fair only as long as the arms' shares stay as they are.
 */
export class LabelCohorts {
  readonly #settleMs: number;
  readonly #cohortMs: number;
  readonly #splits = new Map<number, Map<string, Map<number, Cohort>>>();
  readonly stored = new StoredSums(
    ({ split, metric, cohort, version }) =>
      this.#splits.get(split)?.get(metric)?.get(cohort)?.get(version) ?? NO_LABELS,
  );

  constructor(settleMs: number) {
    this.#settleMs = settleMs;
    this.#cohortMs = Math.max(1, settleMs / COHORTS_IN_SETTLING);
  }

  /** False where a label for a prediction of that time no longer counts. */
  counts(predictedMs: number, nowMs: number): boolean {
    return this.#settleMs === 0 || nowMs - predictedMs <= this.#settleMs;
  }

  /** False where the split has too many metrics. */
  mayHave(split: number, metric: string): boolean {
    const metrics = this.#splits.get(split);
    return metrics === undefined || metrics.has(metric) || metrics.size < MOST_METRICS;
  }

  add({ metric, version, split, predictedMs, wrong, value, stored }: JoinedLabel): void {
    const place = { split, metric, cohort: this.#cohortAt(predictedMs), version };
    const one = { count: 1, sum: value, sumOfSquares: value * value };
    this.#add(place, { labels: 1, wrong: wrong === true ? 1 : 0, value: one });
    if (stored) this.stored.change(place);
  }

  /** Takes what an earlier process left, which may have had another settling time; the store is to be written anew. */
  restore({ split, metric, aroundMs, version, labels, wrong, sum, sumOfSquares }: LabelSums): void {
    const place = { split, metric, cohort: this.#cohortAt(aroundMs), version };
    this.#add(place, { labels, wrong, value: { count: labels, sum, sumOfSquares } });
    this.stored.change(place);
  }

  /** As the store has it. */
  rowOf({ split, metric, cohort, version, tally: { labels, wrong, value } }: PlacedSum): LabelSums {
    const { sum, sumOfSquares } = value;
    return { split, metric, aroundMs: (cohort + 0.5) * this.#cohortMs, version, labels, wrong, sum, sumOfSquares };
  }

  /** Takes out what may be counted now of a split, by metric; each label once. */
  take(split: AskedSplit, nowMs: number): Record<string, FeedbackTally> {
    const taken: Record<string, FeedbackTally> = {};
    const metrics = this.#splits.get(split.number);
    if (metrics === undefined) return taken;
    for (const [metric, cohorts] of metrics) {
      const ready = [...cohorts].filter(([number]) => this.#settled(number, nowMs));
      if (ready.length === 0) continue;
      for (const [number, cohort] of ready) {
        cohorts.delete(number);
        for (const [version, tally] of cohort)
          this.stored.take(split.rollout, { split: split.number, metric, cohort: number, version }, tally);
      }
      const of = (version: number) =>
        ready.map(([, cohort]) => cohort.get(version) ?? NO_LABELS).reduce(sumOf, NO_LABELS);
      taken[metric] = { baseline: of(split.baseline), candidate: of(split.candidate) };
    }
    return taken;
  }

  /** Splits that have labels nobody took yet, ready or not. */
  splits(): readonly number[] {
    return [...this.#splits]
      .filter(([, metrics]) => [...metrics.values()].some((cohorts) => cohorts.size > 0))
      .map(first);
  }

  #cohortAt(ms: number): number {
    return this.#settleMs === 0 ? 0 : Math.floor(ms / this.#cohortMs);
  }

  #settled(cohort: number, nowMs: number): boolean {
    return this.#settleMs === 0 || nowMs > (cohort + 1) * this.#cohortMs + this.#settleMs;
  }

  #add({ split, metric, cohort: number, version }: SumPlace, tally: LabelTally): void {
    const cohort = this.#cohort(split, metric, number);
    cohort.set(version, sumOf(cohort.get(version) ?? NO_LABELS, tally));
  }

  #cohort(split: number, metric: string, number: number): Cohort {
    let metrics = this.#splits.get(split);
    if (metrics === undefined) {
      if (this.#splits.size === MOST_SPLITS) this.#forget(Math.min(...this.#splits.keys()));
      metrics = new Map();
      this.#splits.set(split, metrics);
    }
    const cohorts = metrics.get(metric) ?? new Map<number, Cohort>();
    metrics.set(metric, cohorts);
    const cohort = cohorts.get(number) ?? new Map<number, LabelTally>();
    cohorts.set(number, cohort);
    return cohort;
  }

  #forget(split: number): void {
    for (const [metric, cohorts] of this.#splits.get(split) ?? [])
      for (const [cohort, versions] of cohorts)
        for (const version of versions.keys()) this.stored.forget({ split, metric, cohort, version });
    this.#splits.delete(split);
  }
}

const first = <T>([one]: readonly [T, ...unknown[]]): T => one;
