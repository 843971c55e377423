import { describe, expect, it } from 'vitest';
import { seeded } from '../../../test/support/seeded-random.js';
import { searchRows } from './batch-size.js';
import { MeasuredCurve } from './measured-curve.js';

describe('a measured curve', () => {
  it('finds the most rows in time as a search through all of them does', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = seeded(seed);
      const most = 1 + Math.floor(random() * 300);
      const sizes = [];
      for (let rows = 1 + random() * 3; rows <= most + 5 && sizes.length < 12; rows += random() * 60) {
        const meanNs = 100 + 40 * random() + rows * 10 * random();
        sizes.push({ rows, meanNs, upperNs: meanNs * (1 + random() * 0.3), weight: 1 + random() * 9 });
      }
      if (sizes.length === 0) continue;
      const curve = new MeasuredCurve(sizes);
      for (let tried = 0; tried < 20; tried++) {
        const budgetNs = tried === 0 ? curve.upperNs(1 + Math.floor(random() * most)) : random() * 4000;
        const expected = curve.upperNs(1) <= budgetNs ? searchRows(curve, budgetNs, 1, most) : 0;
        expect(curve.rowsWithin(budgetNs, most), `seed ${seed}, ${budgetNs} ns, at most ${most}`).toBe(expected);
      }
    }
  });
});
