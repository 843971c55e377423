import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../core/index.js';
import { cutBack } from './cut-back.js';

function output(shape: readonly number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = new Uint8Array(Int32Array.from({ length: count }, (_, i) => i).buffer);
  return { name: 'y', dataType: 'INT32', shape, data };
}

const values = ({ data }: Tensor) => [...new Int32Array(data.slice().buffer)];

describe('an output cut back to a length', () => {
  it('keeps what lies within it along every length axis, in order', () => {
    const shapes = fc.record({
      rows: fc.integer({ min: 1, max: 3 }),
      lead: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 1, max: 5 }),
      more: fc.integer({ min: 0, max: 4 }),
      tail: fc.integer({ min: 0, max: 3 }),
      axes: fc.constantFrom<readonly number[]>([1], [2], [1, 2], [1, 3], [3]),
    });
    fc.assert(
      fc.property(shapes, ({ rows, lead, length, more, tail, axes }) => {
        const shape = [rows, lead, lead, tail];
        for (const axis of axes) shape[axis] = length + more;
        const kept = shape.map((size, axis) => (axes.includes(axis) ? length : size));
        const expected: number[] = [];
        shape.reduce((a, b) => a * b, 1);
        for (let at = 0; at < shape.reduce((a, b) => a * b, 1); at++) {
          let rest = at;
          const place = shape.toReversed().map((size) => {
            const index = rest % size;
            rest = Math.floor(rest / size);
            return index;
          });
          if (place.toReversed().every((index, axis) => index < (kept[axis] as number))) expected.push(at);
        }
        const cut = cutBack(output(shape), axes, length);
        expect(cut.shape).toEqual(kept);
        expect(values(cut)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('is a view where the kept bytes lie together', () => {
    const whole = output([1, 8, 3]);
    expect(cutBack(whole, [1], 5).data.buffer).toBe(whole.data.buffer);
    expect(cutBack(output([2, 8, 3]), [1], 5).data.buffer.byteLength).toBe(2 * 5 * 3 * 4);
  });
});
