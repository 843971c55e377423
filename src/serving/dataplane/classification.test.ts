import { describe, expect, it } from 'vitest';
import { fp32, tensorSpec } from '../../../test/support/specs.js';
import { bytesElements } from '../../core/index.js';
import { classify } from './index.js';

const text = (data: Uint8Array) => bytesElements(data).map((e) => new TextDecoder().decode(e));

describe('classification', () => {
  it('gives the highest of each row, highest first, with labels', () => {
    const spec = tensorSpec('p', 'FP32', [3], { labels: ['cat', 'dog'] });
    const out = classify(fp32('p', [2, 3], [0.5, 0.25, 1, 3, 2, 1]), spec, 2, true);
    expect(out.shape).toEqual([2, 2]);
    expect(text(out.data)).toEqual(['1.000000:2', '0.500000:0:cat', '3.000000:0:cat', '2.000000:1:dog']);
  });

  it('gives no more than there are, and ranks NaN last', () => {
    const out = classify(fp32('p', [3], [Number.NaN, 1, 2]), tensorSpec('p', 'FP32', [3]), 9, false);
    expect(out.shape).toEqual([3]);
    expect(text(out.data).map((s) => s.split(':')[1])).toEqual(['2', '1', '0']);
  });

  it('refuses data types without an order', () => {
    const strings = { name: 's', dataType: 'BYTES', shape: [1, 1], data: Uint8Array.of(0, 0, 0, 0) } as const;
    expect(() => classify(strings, tensorSpec('s', 'BYTES', [1]), 1, true)).toThrow(/numeric/);
  });
});
