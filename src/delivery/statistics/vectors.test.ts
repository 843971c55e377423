import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mannWhitney } from '../judge/mann-whitney.js';
import { ConditionalOdds } from './conditional-odds.js';
import { EventShare } from './event-share.js';
import { FailureShare } from './failure-share.js';
import { logGamma } from './log-gamma.js';
import { MeanDifference } from './mean-evidence.js';
import { normalTail } from './normal-law.js';
import { proportionBounds } from './proportion-sequence.js';
import { TotalVariation } from './total-variation.js';

/** Made by vectors/make_vectors.py with numpy and scipy, which share no line with this room. */
const VECTORS = JSON.parse(readFileSync(new URL('./vectors/vectors.json', import.meta.url), 'utf8')) as {
  logGamma: [number, number][];
  eventShare: { events: [number, number, number][]; ratios: number[]; nullRatio: number; logE: number }[];
  failureShare: {
    stretches: [FailureRow, FailureRow][];
    ratios: number[];
    nullRatio: number;
    logE: number;
  }[];
  conditionalOdds: { bins: [number, number, number, number][]; odds: number[]; nullOdds: number; logE: number }[];
  normalTail: [number, number][];
  mannWhitney: {
    control: number[];
    experiment: number[];
    confidence: number;
    expected: [pValue: number, estimate: number, lower: number, upper: number];
  }[];
  mean: { stretches: [MomentRow, MomentRow][]; at: number; expected: [number, number, number, number] }[];
  totalVariation: {
    candidate: number[];
    baseline: number[];
    alpha: number;
    limit: number;
    expected: [number, number, number];
  }[];
  proportion: { seen: number; of: number; alpha: number; bounds: [number, number] }[];
};

type FailureRow = [requests: number, alone: number, together: number[], largest: number];
type MomentRow = [count: number, sum: number, sumOfSquares: number];

const TOLERANCE = 1e-12;

function apart(found: number, expected: number): number {
  return Math.abs(found - expected) / Math.max(1, Math.abs(expected));
}

describe('the statistics agree with numpy and scipy to 1e-12', () => {
  it('ln of the gamma function', () => {
    for (const [x, expected] of VECTORS.logGamma) expect(apart(logGamma(x), expected)).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.eventShare)('share of events, vector %#', ({ events, ratios, nullRatio, logE }) => {
    const process = new EventShare(ratios, nullRatio);
    for (const [candidate, baseline, share] of events) process.observe(candidate, baseline, share);
    expect(apart(process.logE, logE)).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.failureShare)(
    'share of failures that come together, vector %#',
    ({ stretches, ratios, nullRatio, logE }) => {
      const process = new FailureShare(ratios, nullRatio);
      const failures = ([requests, alone, together, largest]: FailureRow) => ({ requests, alone, together, largest });
      for (const [candidate, baseline] of stretches) process.observe(failures(candidate), failures(baseline));
      expect(apart(process.logE, logE)).toBeLessThan(TOLERANCE);
    },
  );

  it.each(VECTORS.conditionalOdds)('odds within stretches of time, vector %#', ({ bins, odds, nullOdds, logE }) => {
    const process = new ConditionalOdds(odds, nullOdds);
    for (const [candidate, baseline, candidateBad, baselineBad] of bins)
      process.observe({ candidate, baseline, candidateBad, baselineBad });
    expect(apart(process.logE, logE)).toBeLessThan(TOLERANCE);
  });

  it('tail of the normal law', () => {
    for (const [z, expected] of VECTORS.normalTail)
      expect(Math.abs(normalTail(z) / expected - 1)).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.mannWhitney)('Mann-Whitney, vector %#', ({ control, experiment, confidence, expected }) => {
    const { pValue, estimate, interval } = mannWhitney(control, experiment, confidence);
    expect(Math.abs(pValue / expected[0] - 1)).toBeLessThan(TOLERANCE);
    expect(apart(estimate, expected[1])).toBeLessThan(TOLERANCE);
    expect(apart(interval.lower, expected[2])).toBeLessThan(TOLERANCE);
    expect(apart(interval.upper, expected[3])).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.mean)('difference of means, vector %#', ({ stretches, at, expected }) => {
    const difference = new MeanDifference();
    const moments = ([count, sum, sumOfSquares]: MomentRow) => ({ count, sum, sumOfSquares });
    for (const [candidate, baseline] of stretches) difference.observe(moments(candidate), moments(baseline));
    const { evidence } = difference;
    const { lower, upper } = evidence.bounds(0.01);
    expect(apart(evidence.logAbove(at), expected[0])).toBeLessThan(TOLERANCE);
    expect(apart(evidence.logBelow(at), expected[1])).toBeLessThan(TOLERANCE);
    expect(apart(lower, expected[2])).toBeLessThan(TOLERANCE);
    expect(apart(upper, expected[3])).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.totalVariation)('total variation, vector %#', ({ candidate, baseline, alpha, limit, expected }) => {
    const variation = new TotalVariation(candidate, baseline);
    const { lower, upper } = variation.bounds(alpha);
    expect(apart(lower, expected[0])).toBeLessThan(TOLERANCE);
    expect(apart(upper, expected[1])).toBeLessThan(TOLERANCE);
    expect(apart(variation.logAbove(limit), expected[2])).toBeLessThan(TOLERANCE);
  });

  it.each(VECTORS.proportion)('bounds of a proportion, $seen of $of at $alpha', ({ seen, of, alpha, bounds }) => {
    const { lower, upper } = proportionBounds({ seen, of }, alpha);
    expect(apart(lower, bounds[0])).toBeLessThan(TOLERANCE);
    expect(apart(upper, bounds[1])).toBeLessThan(TOLERANCE);
  });
});
