import { describe, expect, it } from 'vitest';
import { type ShapedSpec, shapeOfExamples } from './row-shape.js';

const spec = (...dims: number[]): ShapedSpec => ({ name: 'x', dataType: 'FP32', optional: false, dims });

describe('shapes of examples', () => {
  it('are those of the input, its batch axis in front', () => {
    expect(shapeOfExamples(spec(2, 3), true, 4, 6)).toEqual([4, 2, 3]);
    expect(shapeOfExamples(spec(2, -1), true, 4, 6)).toEqual([4, 2, 3]);
    expect(shapeOfExamples(spec(), true, 4, 1)).toEqual([4]);
    expect(shapeOfExamples(spec(-1, 3), false, 4, 3)).toEqual([4, 3]);
  });

  it('are none where the features do not fill them, or could in several ways', () => {
    for (const [dims, count] of [
      [[2, 3], 5],
      [[], 2],
      [[2, -1], 5],
      [[-1, -1], 4],
      [[0], 1],
    ] as const)
      expect(shapeOfExamples(spec(...dims), true, 1, count)).toBeUndefined();
  });
});
