import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from '../core/index.js';
import { decodeElements, elementText, encodeElements } from './element-codec.js';

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

  it.each([
    ['FP32', Math.fround(0.1), '0.1'],
    ['FP32', Math.fround(1 / 3), '0.33333334'],
    ['FP32', Math.fround(-1e-45), '-1e-45'],
    ['FP32', 16777216, '16777216'],
    ['FP64', 0.1 + 0.2, '0.30000000000000004'],
    ['FP64', Math.fround(0.1), '0.10000000149011612'],
    ['FP16', halfToNumber(numberToHalf(0.1)), '0.1'],
    ['BF16', 0.10009765625, '0.1'],
    ['FP32', Number.NaN, 'null'],
    ['INT64', 2n ** 63n - 1n, '9223372036854775807'],
    ['BOOL', true, 'true'],
  ] as const)('of %s are printed in the digits they need: %s as %s', (dataType, element, text) => {
    expect(elementText(dataType, element)).toBe(text);
  });

  it('of FP32 read back to the same bits as they are printed', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })), (values) => {
        const texts = values.map((value) => elementText('FP32', value));
        expect(decodeElements('FP32', encodeElements('FP32', texts.map(Number), 'x'))).toEqual(values);
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
