import { mannWhitney, type Shift } from './mann-whitney.js';

/** Which way a metric must not move. */
export type Direction = 'increase' | 'decrease' | 'either';

/** Samples of one metric in both arms, usually means of stretches of time. NaN: there was none. */
export interface JudgedMetric {
  readonly name: string;
  readonly control: readonly number[];
  readonly experiment: readonly number[];
  readonly direction: Direction;
  /** Anything but a pass makes the score 0. */
  readonly critical: boolean;
  readonly group: string;
}

export interface JudgeOptions {
  /** Of the interval of the shift; Kayenta 0.98. */
  readonly confidence: number;
  /** Part of the shift itself that the interval must be away from 0 by; Kayenta 0.25. */
  readonly tolerance: number;
  /** Values so many interquartile ranges outside of the quartiles are removed; Kayenta 3. */
  readonly outlierFactor: number;
  /** Percent, by group; what is left of 100 is divided among the others. */
  readonly groupWeights: Readonly<Record<string, number>>;
  /** Scores from 0 to 100. */
  readonly pass: number;
  readonly marginal: number;
}

/** What Kayenta's judge takes where nobody says otherwise. */
export const JUDGE_DEFAULTS: JudgeOptions = {
  confidence: 0.98,
  tolerance: 0.25,
  outlierFactor: 3,
  groupWeights: {},
  pass: 95,
  marginal: 75,
};

export interface MetricJudgement {
  readonly name: string;
  readonly classification: 'pass' | 'high' | 'low' | 'nodata';
  /** Values that were judged. */
  readonly values: { readonly control: number; readonly experiment: number };
  /** Mean of the experiment in parts of the control's. */
  readonly ratio: number | undefined;
  /** Undefined where samples are empty or the same. */
  readonly shift: Shift | undefined;
}

export interface Judgement {
  readonly score: number;
  readonly classification: 'pass' | 'marginal' | 'fail';
  readonly metrics: readonly MetricJudgement[];
  /** Percent of the metrics with data that passed; undefined where none had any. */
  readonly groups: Readonly<Record<string, number | undefined>>;
}

/**
 * What Kayenta's NetflixACAJudge-v1.0 says of these samples. It is asked once, at a time chosen before: asked again and
 * again, as canary tools do, it stops more good versions than its confidence says. Its tolerance is a part of the shift that
 * it found, not of the metric, and what it removes as outliers may be the fault. Guards (`STATISTICS.md`) have none of this.
 */
export function judgeCanary(metrics: readonly JudgedMetric[], options: JudgeOptions = JUDGE_DEFAULTS): Judgement {
  const judged = metrics.map((metric) => ({ metric, judgement: judgeMetric(metric, options) }));
  const groups: Record<string, number | undefined> = {};
  for (const name of new Set(metrics.map(({ group }) => group))) {
    const withData = judged.filter(
      ({ metric, judgement: j }) => metric.group === name && j.classification !== 'nodata',
    );
    const passed = withData.filter(({ judgement }) => judgement.classification === 'pass').length;
    groups[name] = withData.length === 0 ? undefined : (100 * passed) / withData.length;
  }
  const failed = judged.some(({ metric, judgement }) => metric.critical && judgement.classification !== 'pass');
  const score = failed ? 0 : weighted(groups, options.groupWeights);
  return {
    score,
    classification: score >= options.pass ? 'pass' : score >= options.marginal ? 'marginal' : 'fail',
    metrics: judged.map(({ judgement }) => judgement),
    groups,
  };
}

function judgeMetric(metric: JudgedMetric, { confidence, tolerance, outlierFactor }: JudgeOptions): MetricJudgement {
  const [control, experiment] = [cleaned(metric.control, outlierFactor), cleaned(metric.experiment, outlierFactor)];
  const plain = {
    name: metric.name,
    values: { control: control.length, experiment: experiment.length },
    ratio: undefined,
    shift: undefined,
  };
  if (control.length === 0 || experiment.length === 0) return { ...plain, classification: 'nodata' };
  if (same(control, experiment)) return { ...plain, classification: 'pass', ratio: 1 };
  const shift = mannWhitney(control, experiment, confidence);
  const beyond = tolerance * Math.abs(shift.estimate);
  const { direction } = metric;
  const isHigh = direction !== 'decrease' && shift.interval.lower > beyond;
  const isLow = direction !== 'increase' && shift.interval.upper < -beyond;
  const ratio = mean(experiment) / mean(control);
  return {
    ...plain,
    classification: isHigh ? 'high' : isLow ? 'low' : 'pass',
    ratio: Number.isFinite(ratio) ? ratio : undefined,
    shift,
  };
}

/** Groups without data count as 0 of their weight, as in Kayenta. */
function weighted(
  groups: Readonly<Record<string, number | undefined>>,
  weights: Readonly<Record<string, number>>,
): number {
  const names = Object.keys(groups);
  const given = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const others = names.filter((name) => weights[name] === undefined).length;
  return names.reduce((sum, name) => sum + ((groups[name] ?? 0) * (weights[name] ?? (100 - given) / others)) / 100, 0);
}

/** Ascending, without NaN and outliers; the 1st and 99th percentiles are none, whatever the quartiles say. */
function cleaned(values: readonly number[], factor: number): readonly number[] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return sorted;
  const [low, high] = [percentile(sorted, 0.25), percentile(sorted, 0.75)];
  const from = Math.min(percentile(sorted, 0.01), low - factor * (high - low));
  const to = Math.max(percentile(sorted, 0.99), high + factor * (high - low));
  return sorted.filter((value) => value >= from && value <= to);
}

/** Between neighbours in proportion (R's type 7). */
function percentile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] as number;
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] as number) - below);
}

/** Whether they hold the same values, or one value alone. */
function same(one: readonly number[], other: readonly number[]): boolean {
  if (one.length === other.length) return one.every((value, i) => value === other[i]);
  return [one.at(-1), other[0], other.at(-1)].every((value) => value === one[0]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
