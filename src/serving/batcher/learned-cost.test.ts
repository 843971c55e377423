import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsThatPay } from './batch-size.js';
import { costsText, recallCosts } from './kept-costs.js';
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

  it('makes no curve where nobody asks for one', () => {
    const cost = learned([1, 8, 32], () => 4);
    expect(cost.observed).toBe(120);
    expect(curveOf(cost)).toBe(curveOf(cost));
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

describe('cost on several devices', () => {
  it('is one curve a device; where none is named, that of the fastest', () => {
    const cost = new LearnedCost();
    cost.observe('x', 1, 8 * MS, 0, 'cpu:0');
    cost.observe('x', 1, 2 * MS, 1, 'cuda:0');
    const meanMs = (device?: string) => ((cost.curve('x', device)?.meanNs(1) ?? 0) - EXTRA) / MS;
    expect([meanMs('cpu:0'), meanMs('cuda:0'), meanMs()]).toEqual([8, 2, 2]);
    expect(cost.curve('x', 'cuda:1')).toBeUndefined();
    expect(cost.curve('y')).toBeUndefined();
  });
});

describe('what is believed', () => {
  const believed = (ms: (rows: number) => number): LearnedCost => {
    const cost = new LearnedCost();
    const sizes = [1, 4, 16, 32].map((rows) => {
      return { rows, meanNs: ms(rows) * MS, upperNs: ms(rows) * 1.1 * MS, weight: 32 };
    });
    cost.believe({ shapeClass: '', device: undefined, sizes });
    return cost;
  };
  const line = (rows: number) => 4 + 0.3 * rows;

  it('is the curve until executions end', () => {
    const curve = curveOf(believed(line));
    for (const rows of [1, 8, 16, 24]) expect(curve.meanNs(rows) / MS).toBeCloseTo(line(rows), 6);
    expect(curve.upperNs(16) / curve.meanNs(16)).toBeCloseTo(1.1, 6);
  });

  it('gives way to a few executions of a size', () => {
    const cost = believed(line);
    for (let i = 0; i < 4; i++) cost.observe('', 16, 30 * MS, i);
    expect(curveOf(cost).meanNs(16)).toBe(30 * MS + EXTRA);
  });

  it('shifts for the sizes nearby where the machine has become slower, and little for one slow execution', () => {
    const slow = believed(line);
    for (let i = 0; i < 8; i++) slow.observe('', 4, 3 * line(4) * MS, i);
    expect(curveOf(slow).meanNs(16) / MS / line(16)).toBeCloseTo(3, 1);
    const once = believed(line);
    once.observe('', 4, 10 * line(4) * MS, 0);
    expect(curveOf(once).meanNs(32) / MS / line(32)).toBeLessThan(2);
  });

  it('comes back when a size was not seen for long, shifted by what is seen beside it', () => {
    const cost = believed(line);
    for (let i = 0; i < 40; i++) cost.observe('', 16, 2 * line(16) * MS, i);
    for (let i = 0; i < 40; i++) cost.observe('', 4, line(4) * MS, 400e9 + i);
    expect(curveOf(cost).meanNs(16) / MS).toBeCloseTo(line(16), 0);
  });
});

describe('the text of what is known', () => {
  it('makes another model of cost believe the same, by class and device', () => {
    const cost = learned([1, 2, 8], (rows) => 3 + rows);
    cost.observe('7,', 4, 9 * MS, 0);
    const other = new LearnedCost();
    recallCosts(other, costsText(cost));
    for (const rows of [1, 2, 5, 8]) {
      expect(curveOf(other).meanNs(rows)).toBeCloseTo(curveOf(cost).meanNs(rows), -1);
      expect(curveOf(other).upperNs(rows)).toBeCloseTo(curveOf(cost).upperNs(rows), -1);
    }
    expect(curveOf(other, '7,').meanNs(4)).toBe(9 * MS + EXTRA);
    expect(other.observed).toBe(0);
  });

  it.each([
    '',
    '{}',
    'null',
    '{"form":2,"classes":[]}',
    '{"form":1,"classes":[["",null,[[1,5,4,1]]]]}',
    '{"form":1,"classes":[["",null,[[0,5,6,1]]]]}',
    '{"form":1,"classes":[["",7,[]]]}',
    '{"form":1,"classes":[["",null,[[1,1000,1000,1]]],["",null,[[1,null,1,1]]]]}',
  ])('is refused whole where it is %s', (text) => {
    const cost = new LearnedCost();
    expect(() => recallCosts(cost, text)).toThrow();
    expect(cost.curve('')).toBeUndefined();
  });

  it('is refused or believed as a finite curve, whatever it holds', () => {
    const number = fc.oneof(fc.double(), fc.integer({ min: -2, max: 1e9 }), fc.constant(null));
    const sizes = fc.array(fc.tuple(number, number, number, number), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('', 'x'), fc.constant(null), sizes)), (classes) => {
        const cost = new LearnedCost();
        try {
          recallCosts(cost, JSON.stringify({ form: 1, classes }));
        } catch {
          return cost.curve('') === undefined && cost.curve('x') === undefined;
        }
        const curve = cost.curve('');
        return curve === undefined || (Number.isFinite(curve.meanNs(64)) && curve.upperNs(64) >= curve.meanNs(64));
      }),
    );
  });
});
