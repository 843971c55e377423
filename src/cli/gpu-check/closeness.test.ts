import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../core/index.js';
import { closeness } from './closeness.js';

const REFERENCE = [1, -2, 4, 0.001, 8, -0.5];

/** Two rows of three. */
function tensor(values: readonly number[], over: Partial<Tensor> = {}): Tensor {
  return {
    name: 'y',
    dataType: 'FP32',
    shape: [2, 3],
    data: new Uint8Array(new Float32Array(values).buffer),
    ...over,
  };
}

const compare = (values: readonly number[], over: Partial<Tensor> = {}) =>
  closeness(tensor(REFERENCE), tensor(values, over), 1e-4);

describe('closeness', () => {
  it('takes equal outputs, and differences within the tolerance of their row', () => {
    expect(compare(REFERENCE)).toEqual({ close: true, worst: 0, fault: undefined });
    expect(compare([1.0003, -2, 4, 0.0017, 8, -0.5]).close).toBe(true);
  });

  it.each([
    ['one element past the tolerance', [1.0006, -2, 4, 0.001, 8, -0.5]],
    ['a small element of a row that is itself small', [1, -2, 4, 0.003, 8, -0.5]],
    ['the last element alone', [1, -2, 4, 0.001, 8, -0.502]],
    ['a sign', [1, 2, 4, 0.001, 8, -0.5]],
    ['a NaN', [1, Number.NaN, 4, 0.001, 8, -0.5]],
    ['an infinity', [1, -2, Number.POSITIVE_INFINITY, 0.001, 8, -0.5]],
    ['rows swapped', [0.001, 8, -0.5, 1, -2, 4]],
    ['zeros', [0, 0, 0, 0, 0, 0]],
  ])('refuses %s', (_, values) => {
    const result = compare(values);
    expect(result.close).toBe(false);
    expect(result.fault).toMatch(/output 'y': element \d/);
    expect(result.worst).toBeGreaterThan(1e-4);
  });

  it('refuses another shape, name, data type or length', () => {
    for (const over of [
      { shape: [3, 2] },
      { name: 'z' },
      { dataType: 'FP16' as const },
      { data: new Uint8Array(20) },
    ]) {
      expect(compare(REFERENCE, over)).toMatchObject({ close: false, worst: Number.POSITIVE_INFINITY });
    }
  });

  it('refuses a reference that proves nothing', () => {
    const same = (values: readonly number[]) => closeness(tensor(values), tensor(values), 1e-4);
    expect(same([0, 0, 0, 1, 2, 3]).fault).toMatch(/nothing to compare/);
    expect(same([1, 2, 3, 1, 2, 3]).fault).toMatch(/are the same/);
    expect(same([1, Number.NaN, 3, 1, 2, 3]).close).toBe(false);
    expect(same([1, Number.POSITIVE_INFINITY, 3, 1, 2, 3]).close).toBe(false);
  });
});
