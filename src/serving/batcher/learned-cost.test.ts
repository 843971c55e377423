import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsThatPay } from './batch-size.js';
import { LearnedCost } from './learned-cost.js';

const MS = 1e6;
/** What every execution is taken to cost beside its run. */
const EXTRA = 30e3;

/** A model that learned `executions` runs of each size of a line, in ms. */
function learned(sizes: readonly number[], ms: (rows: number) => number, executions = 40): LearnedCost {
  const cost = new LearnedCost();
  let nowNs = 0;
  for (let i = 0; i < executions; i++) {
    for (const rows of sizes) {
      nowNs += ms(rows) * MS;
      cost.observe('', rows, ms(rows) * MS, nowNs);
    }
  }
  return cost;
}

const curveOf = (cost: LearnedCost, key = '') => {
  const curve = cost.curve(key);
  if (curve === undefined) throw new Error('nothing was learned');
  return curve;
};

describe('learned cost', () => {
  it('knows nothing before the first execution, and something after it', () => {
    const cost = new LearnedCost();
    expect(cost.curve('')).toBeUndefined();
    cost.observe('', 1, 5 * MS, 0);
    expect(curveOf(cost).meanNs(1)).toBe(5 * MS + EXTRA);
    expect(curveOf(cost).upperNs(1)).toBeGreaterThan(5 * MS + EXTRA);
    expect(cost.curve('other')).toBeUndefined();
  });

  it('finds the times of a model from the sizes that ran, and those between and beyond', () => {
    const curve = curveOf(learned([1, 4, 16], (rows) => 4 + 0.3 * rows));
    for (const rows of [1, 2, 4, 10, 16, 24]) {
      expect(curve.meanNs(rows) / MS).toBeCloseTo(4 + 0.3 * rows + EXTRA / MS, 1);
      expect(curve.upperNs(rows) / curve.meanNs(rows)).toBeLessThan(1.05);
    }
  });

  it('is not moved by executions that the system interrupted, but covers those that are common', () => {
    const rare = new LearnedCost();
    const common = new LearnedCost();
    for (let i = 0; i < 64; i++) {
      rare.observe('', 8, (i % 32 === 5 ? 80 : 4) * MS, i);
      common.observe('', 8, (i % 5 === 4 ? 8 : 4) * MS, i);
    }
    expect(curveOf(rare).meanNs(8)).toBe(4 * MS + EXTRA);
    expect(curveOf(rare).upperNs(8)).toBeLessThan(5 * MS);
    expect(curveOf(common).upperNs(8)).toBe(8 * MS + EXTRA);
  });

  it('follows a machine that becomes slower, also in sizes that ran long ago', () => {
    const cost = learned([1, 8], () => 4);
    for (let i = 0; i < 80; i++) cost.observe('', 1, 12 * MS, 400e9 + i);
    expect(curveOf(cost).meanNs(1)).toBe(12 * MS + EXTRA);
    expect(curveOf(cost).meanNs(8)).toBeGreaterThan(12 * MS);
  });

  it('tries larger batches before it calls them useless, and gives them up where they are', () => {
    const cost = learned([1], () => 4);
    expect(rowsThatPay(curveOf(cost), 32)).toBeGreaterThan(16);
    for (let i = 0; i < 40; i++) cost.observe('', 32, 150 * MS, i);
    expect(rowsThatPay(curveOf(cost), 32)).toBe(1);
    expect(rowsThatPay(curveOf(learned([1, 32], (rows) => 4 + rows * 0.1)), 32)).toBe(32);
  });

  it('never holds back batches of very short runs, whatever is measured of larger ones', () => {
    expect(rowsThatPay(curveOf(learned([1, 8], (rows) => (rows === 1 ? 0.006 : 3))), 32)).toBe(32);
  });

  it('remembers a bounded number of shape classes, the ones in use', () => {
    const cost = new LearnedCost();
    for (let i = 0; i < 500; i++) {
      cost.observe('in use', 1, MS, i * 2);
      cost.observe(`${i}`, 1, MS, i * 2 + 1);
    }
    expect(cost.curve('in use')).toBeDefined();
    expect(cost.curve('499')).toBeDefined();
    expect(cost.curve('100')).toBeUndefined();
  });

  it('is non-decreasing, finite and never below its mean, whatever was seen', () => {
    const run = fc.record({
      rows: fc.integer({ min: 1, max: 200 }),
      ms: fc.double({ min: 1e-3, max: 1e4, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 200 }), (runs) => {
        const cost = new LearnedCost();
        runs.forEach(({ rows, ms }, i) => {
          cost.observe('', rows, ms * MS, i);
        });
        const curve = curveOf(cost);
        const slack = 1 - 1e-12;
        let [mean, upper] = [0, 0];
        for (let rows = 1; rows <= 256; rows++) {
          const next = [curve.meanNs(rows), curve.upperNs(rows)] as const;
          if (!(next[0] >= mean * slack && next[1] >= upper * slack && next[1] >= next[0] * slack)) return false;
          [mean, upper] = next;
        }
        return Number.isFinite(upper);
      }),
      { numRuns: 500 },
    );
  });
});
