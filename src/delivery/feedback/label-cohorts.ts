import type { ReleaseSplit } from '../../core/index.js';
import type { FeedbackTally, LabelTally } from '../observation.js';

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
}

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

  add({ metric, version, split, predictedMs, wrong, value }: JoinedLabel): void {
    const cohort = this.#cohort(split, metric, this.#settleMs === 0 ? 0 : Math.floor(predictedMs / this.#cohortMs));
    const before = cohort.get(version) ?? NO_LABELS;
    cohort.set(version, {
      labels: before.labels + 1,
      wrong: before.wrong + (wrong === true ? 1 : 0),
      value: {
        count: before.value.count + 1,
        sum: before.value.sum + value,
        sumOfSquares: before.value.sumOfSquares + value * value,
      },
    });
  }

  /** Takes out what may be counted now of a split, by metric; each label once. */
  take(split: Pick<ReleaseSplit, 'number' | 'baseline' | 'candidate'>, nowMs: number): Record<string, FeedbackTally> {
    const taken: Record<string, FeedbackTally> = {};
    const metrics = this.#splits.get(split.number);
    if (metrics === undefined) return taken;
    for (const [metric, cohorts] of metrics) {
      const ready = [...cohorts].filter(([number]) => this.#settled(number, nowMs));
      if (ready.length === 0) continue;
      for (const [number] of ready) cohorts.delete(number);
      const of = (version: number) =>
        ready.map(([, cohort]) => cohort.get(version) ?? NO_LABELS).reduce(sum, NO_LABELS);
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

  #settled(cohort: number, nowMs: number): boolean {
    return this.#settleMs === 0 || nowMs > (cohort + 1) * this.#cohortMs + this.#settleMs;
  }

  #cohort(split: number, metric: string, number: number): Cohort {
    let metrics = this.#splits.get(split);
    if (metrics === undefined) {
      if (this.#splits.size === MOST_SPLITS) this.#splits.delete(Math.min(...this.#splits.keys()));
      metrics = new Map();
      this.#splits.set(split, metrics);
    }
    const cohorts = metrics.get(metric) ?? new Map<number, Cohort>();
    metrics.set(metric, cohorts);
    const cohort = cohorts.get(number) ?? new Map<number, LabelTally>();
    cohorts.set(number, cohort);
    return cohort;
  }
}

const NO_LABELS: LabelTally = Object.freeze({ labels: 0, wrong: 0, value: { count: 0, sum: 0, sumOfSquares: 0 } });

function sum(a: LabelTally, b: LabelTally): LabelTally {
  return {
    labels: a.labels + b.labels,
    wrong: a.wrong + b.wrong,
    value: {
      count: a.value.count + b.value.count,
      sum: a.value.sum + b.value.sum,
      sumOfSquares: a.value.sumOfSquares + b.value.sumOfSquares,
    },
  };
}

const first = <T>([one]: readonly [T, ...unknown[]]): T => one;
