import { describe, expect, it } from 'vitest';
import { randomSource } from './random-source.js';
import { median, rankTest, ratioEstimate } from './statistics.js';

/** Values around `mean`, uniform within a share. */
function noisy(count: number, mean: number, share: number, seed: number): number[] {
  const random = randomSource(seed);
  return Array.from({ length: count }, () => mean * (1 + share * (2 * random.uniform() - 1)));
}

describe('statistics', () => {
  it('take the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it.each([true, false])('give an interval that holds the true ratio about as often as said (paired: %s)', (paired) => {
    let held = 0;
    for (let trial = 0; trial < 200; trial++) {
      const a = noisy(20, 100, 0.1, 2 * trial);
      const b = noisy(20, 110, 0.1, 2 * trial + 1);
      const { low, high } = ratioEstimate(a, b, { paired, confidence: 0.95 });
      if (low <= 1.1 && 1.1 <= high) held++;
    }
    expect(held / 200).toBeGreaterThan(0.88);
  });

  it('see through what happens to both rounds of a pair', () => {
    const drift = noisy(20, 100, 0.8, 5);
    const slower = drift.map((value, i) => value * 1.1 * (1 + ((i % 3) - 1) * 0.01));
    const paired = ratioEstimate(drift, slower, { paired: true, confidence: 0.99 });
    const alone = ratioEstimate(drift, slower, { paired: false, confidence: 0.99 });
    expect(paired.low).toBeGreaterThan(1.08);
    expect(alone.low).toBeLessThan(1);
    expect(rankTest(drift, slower, true)).toBeLessThan(0.001);
    expect(rankTest(drift, slower, false)).toBeGreaterThan(0.05);
  });

  it('call equal things different about as rarely as the level says', () => {
    for (const paired of [true, false]) {
      let alarms = 0;
      for (let trial = 0; trial < 400; trial++) {
        const p = rankTest(noisy(20, 1, 0.2, trial), noisy(20, 1, 0.2, trial + 1e6), paired);
        if (p < 0.05) alarms++;
      }
      expect(alarms / 400).toBeLessThan(0.09);
      expect(alarms / 400).toBeGreaterThan(0.015);
    }
  });

  it('do not judge a handful by ranks', () => {
    expect(rankTest([1, 2, 3], [4, 5, 6], false)).toBe(1);
  });
});
