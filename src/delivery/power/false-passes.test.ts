import { describe, expect, it } from 'vitest';
import { binomial, cellsOf, momentsOf } from '../../../test/support/chance.js';
import { observation } from '../../../test/support/observations.js';
import { failing, sales, timed } from '../../../test/support/simulated-arms.js';
import { chanceOf, type SimulatedCase, simulateReleases } from '../../../test/support/simulated-releases.js';

/** Simulated releases of a case; CI takes 10,000. */
const RUNS = Number(process.env.PENSTOCK_RELEASES ?? 100);
const ALPHA = 0.01;

const PASSING = { name: 'watched', weight: 1, minObservations: 1 };
const MARGINS = { maxRatio: 2, maxDifference: 0.01 };

describe('of candidates that are as bad as is not allowed any more, at most alpha pass', () => {
  it.each<[string, SimulatedCase]>([
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
        part: 0.2,
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
    const { runs, passed } = simulateReleases(of, ALPHA, RUNS);
    expect(passed).toBeLessThanOrEqual(chanceOf(ALPHA, runs));
  });
});
