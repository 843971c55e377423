import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeElements, encodeElements, halfToNumber, numberToHalf } from './element-codec.js';

describe('half precision', () => {
  it('keeps every one of its 63,488 finite and infinite values', () => {
    for (let pattern = 0; pattern < 0x10000; pattern++) {
      if ((pattern & 0x7c00) === 0x7c00 && (pattern & 0x3ff) !== 0) continue; // NaN
      expect(numberToHalf(halfToNumber(pattern))).toBe(pattern);
    }
  });

  it('rounds to the nearest, ties to even', () => {
    expect(numberToHalf(2049)).toBe(numberToHalf(2048));
    expect(numberToHalf(2051)).toBe(numberToHalf(2052));
    expect(numberToHalf(65519)).toBe(0x7bff);
    expect(numberToHalf(65520)).toBe(0x7c00);
    expect(numberToHalf(2 ** -25)).toBe(0);
    expect(numberToHalf(2 ** -25 * 1.01)).toBe(1);
    expect(numberToHalf(-0)).toBe(0x8000);
    expect(halfToNumber(numberToHalf(Number.NaN))).toBeNaN();
  });
});

describe('elements', () => {
  it('keep 64-bit integers exactly', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        expect(decodeElements('INT64', encodeElements('INT64', values, 'x'))).toEqual(values);
      }),
    );
  });

  it('round to bfloat16, ties to even', () => {
    expect(decodeElements('BF16', encodeElements('BF16', [1.5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -3], 'x'))).toEqual([
      1.5,
      1,
      1 + 2 ** -6,
      -3,
    ]);
  });

  it.each([
    ['INT8', 128],
    ['UINT8', -1],
    ['INT32', 1.5],
    ['INT64', '1.5'],
    ['FP32', 'abc'],
  ] as const)('that are no %s are refused: %j', (dataType, value) => {
    expect(() => encodeElements(dataType, [0, value], 'x')).toThrow(
      new RegExp(`input 'x': element 1 \\(.*\\) is no ${dataType}`),
    );
  });
});
