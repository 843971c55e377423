import { describe, expect, it } from 'vitest';
import { AdmissionMargin } from './admission-margin.js';

const ROWS = 10;

/** A margin after so many batches full of broken promises. */
function mistrusted(batches: number): AdmissionMargin {
  const margin = new AdmissionMargin();
  margin.answered(ROWS, true);
  for (let i = 0; i < batches * ROWS; i++) margin.broken();
  return margin;
}

describe('the margin of admission', () => {
  it('is nothing while three promises in a hundred are broken', () => {
    const margin = new AdmissionMargin();
    for (let i = 0; i < 1000; i++) {
      for (let kept = 0; kept < 100; kept++) margin.answered(ROWS, true);
      for (let broken = 0; broken < 3; broken++) margin.broken();
    }
    expect(margin.share).toBeLessThan(0.15);
  });

  it('grows with fewer broken promises where most newcomers are refused', () => {
    const shareAfter = (refusedForOneKept: number): number => {
      const margin = new AdmissionMargin();
      for (let i = 0; i < 300; i++) {
        for (let kept = 0; kept < 100; kept++) {
          margin.answered(ROWS, true);
          for (let refused = 0; refused < refusedForOneKept; refused++) margin.used();
        }
        for (let broken = 0; broken < 2; broken++) margin.broken();
      }
      return margin.share;
    };
    expect(shareAfter(0)).toBe(0);
    expect(shareAfter(9)).toBeGreaterThan(0.3);
  });

  it('is nothing after promises broken together, where one in a hundred is lost and many were kept before', () => {
    const margin = new AdmissionMargin();
    for (let crowd = 0; crowd < 5; crowd++) {
      for (let kept = 0; kept < 90 * ROWS; kept++) margin.answered(ROWS, true);
      for (let broken = 0; broken < ROWS; broken++) margin.broken();
    }
    for (let kept = 0; kept < 50 * ROWS; kept++) margin.answered(ROWS, true);
    expect(margin.share).toBe(0);
    for (let broken = 0; broken < ROWS; broken++) margin.broken();
    expect(margin.share).toBe(0);
  });

  it('lets hardly a promise be broken while less than 7 in 1000 are lost, and gives way from 8 on', () => {
    const shareAfter = (crowds: number): number => {
      const margin = new AdmissionMargin();
      for (let kept = 0; kept < 2000; kept++) margin.answered(ROWS, true);
      for (let crowd = 0; crowd < crowds; crowd++) {
        for (let kept = 0; kept < 1000; kept++) margin.answered(ROWS, true);
        for (let broken = 0; broken < ROWS; broken++) margin.broken();
      }
      for (let kept = 0; kept < 10_000; kept++) margin.answered(ROWS, true);
      return margin.share;
    };
    expect(shareAfter(1)).toBeGreaterThan(1.8);
    expect(shareAfter(500)).toBe(0);
  });

  it('grows with broken promises, to a bound', () => {
    expect(mistrusted(1).share).toBeCloseTo(0.4);
    expect(mistrusted(2).share).toBeCloseTo(0.8);
    expect(mistrusted(1000).share).toBe(2);
  });

  it('is forgotten within a few hundred batches where it is not used, and kept longer while it refuses newcomers', () => {
    const batches = (margin: AdmissionMargin, inUse: boolean): number => {
      for (let count = 0; ; count++) {
        if (margin.share < 0.5) return count;
        if (inUse) margin.used();
        for (let row = 0; row < ROWS; row++) margin.answered(ROWS, true);
      }
    };
    const [unused, used] = [batches(mistrusted(4), false), batches(mistrusted(4), true)];
    expect(unused).toBeLessThan(200);
    expect(used).toBeGreaterThan(1.2 * unused);
    expect(used).toBeLessThan(400);
  });
});
