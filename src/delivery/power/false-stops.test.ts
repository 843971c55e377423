import { describe, expect, it } from 'vitest';
import { binomial, cellsOf, momentsOf } from '../../../test/support/chance.js';
import { observation } from '../../../test/support/observations.js';
import { failing, labels, sales, slow, timed, weather } from '../../../test/support/simulated-arms.js';
import { chanceOf, type SimulatedCase, simulateReleases } from '../../../test/support/simulated-releases.js';
import { SampleRatioGuard } from '../index.js';
import { randomStream } from './random-stream.js';

/** Simulated releases of a case; CI takes 10,000. */
const RUNS = Number(process.env.PENSTOCK_RELEASES ?? 100);
const ALPHA = 0.01;

/** Nothing passes, so that every release is watched to its end. */
const WATCHED = { name: 'watched', weight: 1, minObservations: Number.POSITIVE_INFINITY };
const MARGINS = { maxRatio: 2, maxDifference: 0.01 };

const error = { ...WATCHED, ...MARGINS, metric: 'error-rate' } as const;
const latency = { ...WATCHED, ...MARGINS, metric: 'latency', quantile: 0.9 } as const;

describe('of candidates that are not worse, at most alpha are stopped', () => {
  it.each<[string, SimulatedCase]>([
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
        part: 0.2,
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
        part: 0.2,
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
    const { runs, failed, passed } = simulateReleases(of, ALPHA, RUNS);
    expect(passed).toBe(0);
    expect(failed).toBeLessThanOrEqual(chanceOf(ALPHA, runs));
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
