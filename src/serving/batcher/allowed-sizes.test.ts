import { describe, expect, it } from 'vitest';
import type { CostCurve } from '../../core/index.js';
import { AllowedSizes, SteppedCosts } from './allowed-sizes.js';
import { LearnedCost } from './learned-cost.js';
import { LengthClasses } from './length-classes.js';

const linear = (fixed: number, each: number): CostCurve => ({
  meanNs: (rows) => fixed + each * rows,
  upperNs: (rows) => 2 * (fixed + each * rows),
});
const members = (...rows: number[]) =>
  rows.map((own) => ({ rows: own, enqueuedNs: 0, deadlineNs: Number.POSITIVE_INFINITY, worth: 1 }));

describe('allowed sizes', () => {
  const sizes = new AllowedSizes([1, 2, 4, 8]);

  it('are filled up to the next; without any every size is its own', () => {
    expect([1, 3, 4, 5, 8].map((rows) => sizes.up(rows))).toEqual([1, 4, 4, 8, 8]);
    expect(new AllowedSizes().up(3)).toBe(3);
  });

  it.each([
    ['padded up where rows are cheap', linear(10, 1), members(1, 1, 1, 1, 1), 5],
    ['split where rows are dear', linear(1, 10), members(1, 1, 1, 1, 1), 4],
    ['split at the best size, not the first', linear(0.1, 10), members(1, 1, 1, 1, 1, 1), 4],
    ['padded up where no members end at a size', linear(1, 10), members(3, 3), 2],
    ['padded up while nothing is known', undefined, members(1, 1, 1, 1, 1), 5],
    ['as it is where it is a size', linear(1, 10), members(2, 2), 2],
  ])('a batch is %s', (_, curve, batch, started) => {
    expect(sizes.toStart(batch, curve, 0)).toBe(started);
  });

  it('are not split where the rest would be late', () => {
    const batch = members(1, 1, 1, 1, 1).map((member, i) => (i === 4 ? { ...member, deadlineNs: 100 } : member));
    expect(sizes.toStart(batch, linear(1, 10), 0)).toBe(5);
    expect(sizes.toStart(batch, linear(1, 10), -20)).toBe(4);
  });

  it('cost what the size costs that is run', () => {
    const learned = new LearnedCost();
    const stepped = new SteppedCosts(learned, sizes);
    expect(stepped.curve('')).toBeUndefined();
    for (const rows of [1, 2, 4, 8]) for (let i = 0; i < 9; i++) stepped.observe('', rows, rows * 1e6, i);
    const curve = stepped.curve('') as CostCurve;
    expect(curve.meanNs(3)).toBe(curve.meanNs(4));
    expect(curve.upperNs(5)).toBe(curve.upperNs(8));
    expect(curve.meanNs(2)).toBeLessThan(curve.meanNs(3));
    expect(stepped.curve('')).toBe(curve);
  });
});

describe('classes of lengths', () => {
  it('are the declared ones; longer requests run at their own length', () => {
    const classes = new LengthClasses([16, 32]);
    expect([1, 16, 17, 32, 33].map((length) => classes.padded(length))).toEqual([16, 16, 32, 32, 33]);
    expect(classes.of(3)).toBe(16);
    expect(classes.of(33)).toBe(40);
  });

  it('without any, pad to no more than the longest member, and are few however long requests get', () => {
    const classes = new LengthClasses();
    expect(classes.padded(37)).toBe(37);
    const seen = new Set<number>();
    const groups = new Set<number>();
    for (let length = 1; length <= 8192; length++) {
      const longest = classes.of(length);
      expect(longest >= length && longest <= length * 1.25).toBe(true);
      expect(classes.group(length) >= length && classes.group(length) <= length * 1.125).toBe(true);
      seen.add(longest);
      groups.add(classes.group(length));
    }
    expect(seen.size).toBeLessThan(50);
    expect(groups.size).toBeLessThan(100);
  });
});
