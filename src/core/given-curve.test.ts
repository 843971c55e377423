import { describe, expect, it } from 'vitest';
import { curveOf, jittered, readCurve } from './index.js';

describe('a curve as people write it', () => {
  it.each([
    ['4,0.3', [4.3, 4.6, 7]],
    [' 0, 2 \n', [2, 4, 20]],
    ['1:4,3:6,10:6', [4, 5, 6]],
    ['2:5', [5, 5, 5]],
    ['8:3,1:4', [4, 4, 4]],
  ])('%j', (text, [one, two, ten]) => {
    const curve = curveOf(readCurve(text)!);
    expect([1, 2, 10].map((rows) => curve.meanNs(rows) / 1e6)).toEqual([one, two, ten]);
    expect(curveOf(readCurve(text)!, 0.5).upperNs(2)).toBe(curve.meanNs(2) * 1.5);
  });

  it.each(['', '4', '4,', '0,0', '-1,2', '1,2,3', 'a,b', '0:4', '1:0', '1:x', '1e400,1'])('%j is none', (text) => {
    expect(readCurve(text)).toBeUndefined();
  });
});

describe('times with a jitter', () => {
  it('are as they were without one, else within it, and twice that for one in 200', () => {
    const never = () => {
      throw new Error('asked for randomness');
    };
    expect(jittered(100, 0, never)).toBe(100);
    const of = (...values: number[]) => jittered(100, 0.1, () => values.shift() as number);
    expect([of(0, 0.5), of(0.5, 0.5), of(0.5, 0.004)]).toEqual([90, 100, 200]);
  });
});
