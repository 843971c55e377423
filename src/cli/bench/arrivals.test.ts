import { describe, expect, it } from 'vitest';
import { burstyArrivals, poissonArrivals, recordedArrivals } from './arrivals.js';
import { randomSource } from './random-source.js';

const ascending = (times: Float64Array) => times.every((time, i) => i === 0 || time >= times[i - 1]!);

/** Variance over mean of the arrivals in windows of `windowMs`: 1 for a Poisson process. */
function dispersion(times: Float64Array, ms: number, windowMs: number): number {
  const counts = new Float64Array(Math.floor(ms / windowMs));
  for (const time of times) if (time < counts.length * windowMs) counts[Math.floor(time / windowMs)]!++;
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length / mean;
}

describe('arrivals', () => {
  it('come at the rate asked for, independently of each other', () => {
    const times = poissonArrivals(1000, 100_000, randomSource(1));
    expect(times.length / 100).toBeCloseTo(1000, -2);
    expect(ascending(times)).toBe(true);
    expect(dispersion(times, 100_000, 50)).toBeGreaterThan(0.9);
    expect(dispersion(times, 100_000, 50)).toBeLessThan(1.1);
  });

  it('come in bursts whose mean is the rate asked for', () => {
    const times = burstyArrivals(1000, 200_000, randomSource(2));
    expect(times.length / 200 / 1000).toBeGreaterThan(0.92);
    expect(times.length / 200 / 1000).toBeLessThan(1.08);
    expect(ascending(times)).toBe(true);
    expect(dispersion(times, 200_000, 50)).toBeGreaterThan(10);
  });

  it('are the same for the same seed', () => {
    expect(burstyArrivals(500, 1000, randomSource(3))).toEqual(burstyArrivals(500, 1000, randomSource(3)));
  });

  it('are taken from a record, from its first time on, or pressed to a rate', () => {
    expect([...recordedArrivals('# at\n10\n10.5\n11\n', undefined)]).toEqual([0, 500, 1000]);
    expect([...recordedArrivals('10\n10.5\n11', 4)]).toEqual([0, 250, 500]);
  });

  it.each([
    ['1\nx', /line 2: expected a time/],
    ['2\n1', /line 2: 1 s is before/],
    ['', /no arrival/],
  ])('refuse the record %j', (text, message) => {
    expect(() => recordedArrivals(text, undefined)).toThrow(message);
  });

  it('refuse a run that does not fit into memory', () => {
    expect(() => poissonArrivals(1e9, 10_000, randomSource(1))).toThrow(/more than 5000000/);
  });
});
