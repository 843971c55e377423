import { describe, expect, it } from 'vitest';
import { cellsOf, momentsOf } from '../../../test/support/chance.js';
import { observation } from '../../../test/support/observations.js';
import { failing, sales, timed } from '../../../test/support/simulated-arms.js';
import { simulateReleases } from '../../../test/support/simulated-releases.js';
import type { GuardSpec, Observation } from '../index.js';
import type { Uniform } from './random-stream.js';

/** Enough for a median; the table of STATISTICS.md is of 100. */
const RUNS = Number(process.env.PENSTOCK_RELEASES ?? 0) > 0 ? 100 : 15;
const COMMON = { name: 'watched', weight: 1, minObservations: 1 };

interface Kind {
  readonly spec: GuardSpec;
  readonly next: (uniform: Uniform, candidate: number) => Observation;
}

const ERRORS: Kind = {
  spec: { ...COMMON, metric: 'error-rate', maxRatio: 2, maxDifference: 0.005 },
  next: (uniform, rate) =>
    observation({ candidate: failing(uniform, 4, 2, rate, 0), baseline: failing(uniform, 19, 8, 0.005, 0) }),
};
const COST: Kind = {
  spec: { ...COMMON, metric: 'cost', maxRatio: 1.2 },
  next: (uniform, factor) =>
    observation({ candidate: timed(uniform, 4, 3, factor), baseline: timed(uniform, 16, 8, 1) }),
};
const KPI: Kind = {
  spec: { ...COMMON, metric: 'kpi', feedback: 'sales', better: 'higher', maxLoss: 0.2, range: [0, 10] },
  next: (uniform, buyers) =>
    observation({ feedback: { sales: { candidate: sales(uniform, 4, buyers), baseline: sales(uniform, 12, 0.2) } } }),
};
const RANK: Kind = {
  spec: { ...COMMON, metric: 'shadow-distance', of: 'rank-correlation', limit: 0.9 },
  next: (uniform, mean) =>
    observation({ shadow: { rankCorrelation: momentsOf(8, () => (uniform() < 1 - mean ? 0 : 1)) } }),
};
const DRIFT: Kind = {
  spec: { ...COMMON, metric: 'output-drift', maxTotalVariation: 0.1 },
  next: (uniform, first) =>
    observation({
      candidate: { outputs: cellsOf(50, [first, 0.9, 1], uniform) },
      baseline: { outputs: cellsOf(200, [0.5, 0.9, 1], uniform) },
    }),
};

describe('stretches of time until a verdict, at the median', () => {
  it.each<[string, Kind, number, 'fail' | 'pass', number]>([
    ['errors of whole batches .5 -> 1.5 %', ERRORS, 0.015, 'fail', 400],
    ['errors of whole batches .5 -> .5 %', ERRORS, 0.005, 'pass', 1800],
    ['cost, as high', COST, 1, 'pass', 400],
    ['cost, a fifth more', COST, 1.2, 'fail', 500],
    ['cost, half more', COST, 1.5, 'fail', 190],
    ['cost, twice', COST, 2, 'fail', 100],
    ['a value, as high', KPI, 0.2, 'pass', 750],
    ['a value, half as high', KPI, 0.1, 'fail', 280],
    ['rank correlation .99 for .9', RANK, 0.99, 'pass', 60],
    ['rank correlation .8 for .9', RANK, 0.8, 'fail', 100],
    ['drift, none for .1', DRIFT, 0.5, 'pass', 130],
    ['drift, .2 for .1', DRIFT, 0.7, 'fail', 110],
  ])('%s', (_, { spec, next }, what, verdict, most) => {
    const release = (uniform: Uniform) => () => next(uniform, what);
    const outcomes = simulateReleases({ spec, stretches: 5000, release }, 0.01, RUNS);
    const lengths = verdict === 'fail' ? outcomes.stretchesToFail : outcomes.stretchesToPass;
    expect(lengths.length).toBeGreaterThanOrEqual(0.9 * RUNS);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(most);
  });
});
