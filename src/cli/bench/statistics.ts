import { randomSource } from './random-source.js';

/** A ratio with its confidence interval. */
export interface RatioEstimate {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;
/** Resampling is seeded: the same files give the same verdict. */
const SEED = 20_26;

/** The middle value, or the mean of the two; NaN of an empty list. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Candidate over baseline with its interval. Paired: round i of both ran side by side, so that what the machine did to both at once
 * cancels; the ratios of pairs are judged by signed ranks. Else the ratio of medians, its interval by percentile bootstrap.
 */
export function ratioEstimate(
  baseline: readonly number[],
  candidate: readonly number[],
  options: { readonly paired: boolean; readonly confidence: number },
): RatioEstimate {
  if (options.paired && baseline.length === candidate.length)
    return pairedEstimate(
      baseline.map((value, i) => Math.log(candidate[i]! / value)),
      options.confidence,
    );
  const random = randomSource(SEED);
  const resample = (values: readonly number[]) => values.map(() => values[random.integer(0, values.length - 1)]!);
  const draws = Float64Array.from(
    { length: RESAMPLES },
    () => median(resample(candidate)) / median(resample(baseline)),
  ).sort();
  const tail = (1 - options.confidence) / 2;
  const at = (q: number) => draws[Math.min(RESAMPLES - 1, Math.max(0, Math.round(q * (RESAMPLES - 1))))]!;
  return { ratio: median(candidate) / median(baseline), low: at(tail), high: at(1 - tail) };
}

/**
 * Hodges and Lehmann's estimate, the median of all pairwise means, and its interval from Wilcoxon's signed ranks: as robust against
 * outliers as needed here, and much narrower than the median's. Below eight pairs the interval is their whole range.
 */
function pairedEstimate(logRatios: readonly number[], confidence: number): RatioEstimate {
  const means: number[] = [];
  logRatios.forEach((first, i) => {
    for (const second of logRatios.slice(i)) means.push((first + second) / 2);
  });
  const sorted = Float64Array.from(means).sort();
  const n = logRatios.length;
  const spread = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
  const cut = Math.max(0, Math.floor((n * (n + 1)) / 4 - normalQuantile((1 + confidence) / 2) * spread));
  const at = (index: number) => Math.exp(sorted[index] ?? Number.NaN);
  return { ratio: Math.exp(median(means)), low: at(cut), high: at(sorted.length - 1 - cut) };
}

/**
 * Two-sided p-value that both come from one distribution: Wilcoxon's signed ranks of the pairs' log ratios, or the
 * Mann-Whitney rank sum; by the normal approximation with continuity correction. 1 below five values.
 */
export function rankTest(baseline: readonly number[], candidate: readonly number[], paired: boolean): number {
  const bothPaired = paired && baseline.length === candidate.length;
  if (Math.min(baseline.length, candidate.length) < 5) return 1;
  if (bothPaired) {
    const logs = baseline.map((value, i) => Math.log(candidate[i]! / value)).filter((log) => log !== 0);
    const n = logs.length;
    const ranks = ranksOf(logs.map(Math.abs));
    const sum = logs.reduce((total, log, i) => total + (log > 0 ? ranks[i]! : 0), 0);
    return n < 5 ? 1 : twoSided(sum, (n * (n + 1)) / 4, Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24));
  }
  const [n, m] = [baseline.length, candidate.length];
  const ranks = ranksOf([...baseline, ...candidate]);
  const sum = ranks.slice(n).reduce((total, rank) => total + rank, 0) - (m * (m + 1)) / 2;
  return twoSided(sum, (n * m) / 2, Math.sqrt((n * m * (n + m + 1)) / 12));
}

/** Ranks from 1; equal values share the mean of theirs. */
function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && values[order[last + 1]!] === values[order[first]!]) last++;
    for (let i = first; i <= last; i++) ranks[order[i]!] = (first + last) / 2 + 1;
    first = last + 1;
  }
  return ranks;
}

function twoSided(sum: number, mean: number, deviation: number): number {
  const z = Math.max(0, Math.abs(sum - mean) - 0.5) / deviation;
  return Math.min(1, 2 * (1 - normalCdf(z)));
}

/** Abramowitz and Stegun 26.2.17, error below 7.5e-8. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}

/** The value below which a share `p` (0.5 to 1) of a normal distribution lies. */
function normalQuantile(p: number): number {
  let low = 0;
  let high = 10;
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return high;
}
