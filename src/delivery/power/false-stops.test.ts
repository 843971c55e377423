import { describe, expect, it } from 'vitest';
import { observation } from '../../../test/support/observations.js';
import { SampleRatioGuard } from '../guards/sample-ratio-guard.js';
import { type ArmTally, type LabelTally, type Moments, sizeCell } from '../observation.js';
import { binomial, cellsOf, momentsOf, normal } from './chance.js';
import { randomStream, type Uniform } from './random-stream.js';
import { type SimulatedReleases, simulateReleases } from './simulated-release.js';

/** Simulated releases of a case; CI takes 10,000. */
const RUNS = Number(process.env.PENSTOCK_RELEASES ?? 100);
const ALPHA = 0.01;
/** Of few releases chance may stop more. */
const ALLOWED = ALPHA * RUNS + (RUNS < 10_000 ? 3 : 0);

/** Nothing passes, so that every release is watched to its end. */
const WATCHED = { name: 'watched', weight: 1, minObservations: Number.POSITIVE_INFINITY };
const MARGINS = { maxRatio: 2, maxDifference: 0.01 };
const PASSING = { ...WATCHED, minObservations: 1 };

type Case = Pick<SimulatedReleases, 'spec' | 'stretches' | 'release'>;

function outcomes(of: Case) {
  return simulateReleases({ ...of, alpha: ALPHA, runs: RUNS, seed: 1 });
}

/** Executions of `size` requests that fail as a whole with this chance, and requests that fail alone. */
function failing(uniform: Uniform, executions: number, size: number, whole: number, alone: number): Partial<ArmTally> {
  const failed = binomial(executions, whole, uniform);
  const requests = executions * size;
  const failedAlone = binomial(requests - failed * size, alone, uniform);
  return {
    requests,
    errors: failed * size + failedAlone,
    errorsTogether: failed === 0 ? [] : [...new Array<number>(size - 1).fill(0), failed],
    executions,
    largestExecution: size,
  };
}

/** Times of good and of bad minutes, which both arms have alike: load, neighbours, a clock that is lowered. */
function weather(uniform: Uniform): () => boolean {
  let bad = false;
  return () => {
    if (uniform() < 0.05) bad = !bad;
    return bad;
  };
}

function slow(uniform: Uniform, executions: number, chance: number): Partial<ArmTally> {
  const slower = binomial(executions, chance, uniform);
  return { requests: executions * 4, executions, slower: [slower, slower, slower] };
}

/**
 * Executions of different sizes whose time has a lognormal spread, a common factor of the time of day, and once in a hundred a
 * tail of Pareto's law with exponent 1.5, which has a mean and no variance.
 */
function timed(uniform: Uniform, executions: number, largest: number, ofDay: number): Partial<ArmTally> {
  const deviceBySize: Moments[] = [];
  for (let i = 0; i < executions; i++) {
    const size = 1 + Math.floor(uniform() * largest);
    const tail = uniform() < 0.01 ? (1 - uniform()) ** (-1 / 1.5) : 1;
    const value = 1e6 * (1 + 0.2 * size) * Math.exp(0.5 * normal(uniform)) * tail * ofDay;
    const cell = sizeCell(size);
    while (deviceBySize.length <= cell) deviceBySize.push({ count: 0, sum: 0, sumOfSquares: 0 });
    const { count, sum, sumOfSquares } = deviceBySize[cell] as Moments;
    deviceBySize[cell] = { count: count + 1, sum: sum + value, sumOfSquares: sumOfSquares + value * value };
  }
  return { requests: executions * largest, executions, deviceBySize };
}

function labels(uniform: Uniform, count: number, chance: number): LabelTally {
  return { labels: count, wrong: binomial(count, chance, uniform), value: { count: 0, sum: 0, sumOfSquares: 0 } };
}

/** A KPI that is nothing at most times, and else somewhere between 0 and 10. */
function sales(uniform: Uniform, count: number, chance: number): LabelTally {
  return { labels: count, wrong: 0, value: momentsOf(count, () => (uniform() < chance ? 10 * uniform() ** 2 : 0)) };
}

const error = { ...WATCHED, ...MARGINS, metric: 'error-rate' } as const;
const latency = { ...WATCHED, ...MARGINS, metric: 'latency', quantile: 0.9 } as const;

describe('of candidates that are not worse, at most alpha are stopped', () => {
  it.each<[string, Case]>([
    [
      'errors: batches that fail as a whole, small in the small arm',
      {
        spec: error,
        stretches: 300,
        release: (uniform) => () =>
          observation({
            share: 0.1,
            candidate: failing(uniform, 8, 2, 0.01, 0.002),
            baseline: failing(uniform, 18, 8, 0.01, 0.002),
          }),
      },
    ],
    [
      'errors: batches that fail as a whole, large in the large arm that is the candidate',
      {
        spec: error,
        stretches: 300,
        release: (uniform) => () =>
          observation({
            share: 0.8,
            candidate: failing(uniform, 8, 16, 0.02, 0.001),
            baseline: failing(uniform, 16, 2, 0.02, 0.001),
          }),
      },
    ],
    [
      'errors: common ones that come in waves over both arms, while the share grows',
      {
        spec: error,
        stretches: 300,
        release: (uniform) => {
          const isBad = weather(uniform);
          return (stretch) => {
            const chance = isBad() ? 0.3 : 0.01;
            const executions = stretch < 150 ? 3 : 30;
            return observation({
              split: stretch < 150 ? 1 : 2,
              candidate: failing(uniform, executions, 4, chance, 0.01),
              baseline: failing(uniform, 36 - executions, 4, chance, 0.01),
            });
          };
        },
      },
    ],
    [
      'latency: slow times that both arms have, one observation a batch',
      {
        spec: latency,
        stretches: 300,
        release: (uniform) => {
          const isBad = weather(uniform);
          return () => {
            const chance = isBad() ? 0.5 : 0.1;
            return observation({ candidate: slow(uniform, 3, chance), baseline: slow(uniform, 20, chance) });
          };
        },
      },
    ],
    [
      'cost: heavy tails, batches smaller in the small arm',
      {
        spec: { ...WATCHED, metric: 'cost', maxRatio: 1.2 },
        stretches: 300,
        release: (uniform) => {
          const isBad = weather(uniform);
          return () => {
            const ofDay = isBad() ? 1.7 : 1;
            return observation({
              share: 0.1,
              candidate: timed(uniform, 4, 3, ofDay),
              baseline: timed(uniform, 16, 8, ofDay),
            });
          };
        },
      },
    ],
    [
      'cost: heavy tails, the candidate has most requests',
      {
        spec: { ...WATCHED, metric: 'cost', maxRatio: 1.2 },
        stretches: 300,
        release: (uniform) => () =>
          observation({ share: 0.8, candidate: timed(uniform, 20, 8, 1), baseline: timed(uniform, 5, 8, 1) }),
      },
    ],
    [
      'output drift: as far apart as allowed',
      {
        spec: { ...WATCHED, metric: 'output-drift', maxTotalVariation: 0.1 },
        stretches: 100,
        release: (uniform) => () =>
          observation({
            candidate: { outputs: cellsOf(200, [0.6, 0.9, 1], uniform) },
            baseline: { outputs: cellsOf(400, [0.5, 0.9, 1], uniform) },
          }),
      },
    ],
    [
      'shadow agreement: as rare as allowed',
      {
        spec: { ...WATCHED, metric: 'shadow-agreement', of: 'all', min: 0.98 },
        stretches: 300,
        release: (uniform) => () => {
          const agreed = binomial(15, 0.98, uniform);
          return observation({ shadow: { compared: 15, agreed } });
        },
      },
    ],
    [
      'shadow distance: as large as allowed',
      {
        spec: { ...WATCHED, metric: 'shadow-distance', of: 'total-variation', limit: 0.05 },
        stretches: 300,
        // Most copies are near, a few far: mean 0.05.
        release: (uniform) => () =>
          observation({ shadow: { totalVariation: momentsOf(8, () => (uniform() < 0.05 ? 0.62 : 0.04 * uniform())) } }),
      },
    ],
    [
      'quality: labels of predictions that are often wrong',
      {
        spec: { ...WATCHED, ...MARGINS, metric: 'quality', feedback: 'label' },
        stretches: 300,
        release: (uniform) => () =>
          observation({
            feedback: { label: { candidate: labels(uniform, 3, 0.2), baseline: labels(uniform, 12, 0.2) } },
          }),
      },
    ],
    [
      'a value posted as feedback: mostly nothing, with a mean that changes over the day',
      {
        spec: {
          ...WATCHED,
          metric: 'kpi',
          feedback: 'sales',
          better: 'higher',
          maxLoss: 0.1,
          range: [0, 10],
        },
        stretches: 300,
        release: (uniform) => {
          const isBad = weather(uniform);
          return () => {
            const chance = isBad() ? 0.02 : 0.2;
            return observation({
              feedback: { sales: { candidate: sales(uniform, 4, chance), baseline: sales(uniform, 12, chance) } },
            });
          };
        },
      },
    ],
  ])('%s', (_, of) => {
    const { failed, passed } = outcomes(of);
    expect(passed).toBe(0);
    expect(failed).toBeLessThanOrEqual(ALLOWED);
  });
});

describe('of candidates that are as bad as is not allowed any more, at most alpha pass', () => {
  it.each<[string, Case]>([
    [
      'errors: twice as many and a hundredth more, in batches that fail as a whole',
      {
        spec: { ...PASSING, ...MARGINS, metric: 'error-rate' },
        stretches: 200,
        release: (uniform) => () =>
          observation({
            share: 0.1,
            candidate: failing(uniform, 8, 2, 0.02, 0),
            baseline: failing(uniform, 18, 8, 0.01, 0),
          }),
      },
    ],
    [
      'cost: a fifth more, the candidate with few executions',
      {
        spec: { ...PASSING, metric: 'cost', maxRatio: 1.2 },
        stretches: 300,
        release: (uniform) => () =>
          observation({ share: 0.1, candidate: timed(uniform, 4, 3, 1.2), baseline: timed(uniform, 16, 8, 1) }),
      },
    ],
    [
      'output drift: as far apart as the limit',
      {
        spec: { ...PASSING, metric: 'output-drift', maxTotalVariation: 0.1 },
        stretches: 100,
        release: (uniform) => () =>
          observation({
            candidate: { outputs: cellsOf(200, [0.6, 0.9, 1], uniform) },
            baseline: { outputs: cellsOf(400, [0.5, 0.9, 1], uniform) },
          }),
      },
    ],
    [
      'shadow agreement: just below the least',
      {
        spec: { ...PASSING, metric: 'shadow-agreement', of: 'all', min: 0.98 },
        stretches: 300,
        release: (uniform) => () => observation({ shadow: { compared: 15, agreed: binomial(15, 0.98, uniform) } }),
      },
    ],
    [
      'shadow distance: mean rank correlation at the limit',
      {
        spec: { ...PASSING, metric: 'shadow-distance', of: 'rank-correlation', limit: 0.9 },
        stretches: 300,
        release: (uniform) => () =>
          observation({ shadow: { rankCorrelation: momentsOf(8, () => (uniform() < 0.1 ? 0 : 1)) } }),
      },
    ],
    [
      'a value posted as feedback: worse by what is not allowed',
      {
        spec: { ...PASSING, metric: 'kpi', feedback: 'sales', better: 'higher', maxLoss: 1 / 3, range: [0, 10] },
        stretches: 300,
        // 10 u^2 has the mean 10 / 3: a tenth of the buyers less.
        release: (uniform) => () =>
          observation({
            feedback: { sales: { candidate: sales(uniform, 4, 0.1), baseline: sales(uniform, 12, 0.2) } },
          }),
      },
    ],
  ])('%s', (_, of) => {
    const { passed } = outcomes(of);
    expect(passed).toBeLessThanOrEqual(ALLOWED);
  });
});

it('the check of the split stops at most a thousandth of the releases whose split holds', () => {
  let broken = 0;
  for (let run = 0; run < RUNS; run++) {
    const [guard, uniform] = [new SampleRatioGuard(), randomStream(run)];
    for (let stretch = 0; stretch < 300; stretch++) {
      const share = stretch < 100 ? 0.01 : 0.5;
      const candidate = binomial(40, share, uniform);
      guard.observe(observation({ share, candidate: { requests: candidate }, baseline: { requests: 40 - candidate } }));
    }
    if (guard.broken !== undefined) broken++;
  }
  expect(broken).toBeLessThanOrEqual(Math.max(1, RUNS / 1000));
});
