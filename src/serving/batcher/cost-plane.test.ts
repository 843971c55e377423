import { describe, expect, it } from 'vitest';
import { seeded } from '../../../test/support/seeded-random.js';
import { CostPlane } from './cost-plane.js';

describe('the cost of executions over their shapes', () => {
  it('is found from executions of mixed shapes, noise and outliers included', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(seed);
      const plane = new CostPlane();
      const truth = (rows: number, length: number) => 250e3 + 5e3 * rows + 28e3 * rows * length;
      for (let i = 0; i < 400; i++) {
        const rows = 1 + Math.floor(random() * 16);
        const length = 1 + Math.floor(random() * 64);
        const noise = random() < 0.03 ? 5 : 0.9 + 0.2 * random();
        plane.observe(rows, length, truth(rows, length) * noise);
      }
      for (const [rows, length] of [
        [1, 4],
        [1, 60],
        [16, 8],
        [16, 64],
      ] as const)
        expect(Math.abs(plane.timeOf(rows, length) / truth(rows, length) - 1), `seed ${seed}`).toBeLessThan(0.2);
    }
  });

  it('grows with rows and length from the first execution on, and follows a machine that changes', () => {
    const plane = new CostPlane();
    expect(plane.timeOf(2, 10)).toBeGreaterThan(plane.timeOf(1, 10));
    plane.observe(1, 10, 1e6);
    expect(plane.timeOf(1, 10)).toBeCloseTo(1e6, -3);
    expect(plane.timeOf(2, 10)).toBeGreaterThan(1.2e6);
    expect(plane.timeOf(1, 20)).toBeGreaterThan(1.2e6);
    for (let i = 0; i < 1000; i++) plane.observe(1 + (i % 4), 10, 5e6 * (1 + (i % 4)));
    expect(plane.timeOf(4, 10) / 20e6).toBeCloseTo(1, 1);
  });

  it('never falls with rows or length', () => {
    const random = seeded(3);
    const plane = new CostPlane();
    for (let i = 0; i < 500; i++) {
      plane.observe(1 + Math.floor(random() * 8), 1 + Math.floor(random() * 100), 1 + random() * 1e6);
      expect(plane.timeOf(2, 9)).toBeGreaterThanOrEqual(plane.timeOf(1, 9));
      expect(plane.timeOf(2, 9)).toBeLessThanOrEqual(plane.timeOf(2, 10));
    }
  });
});
