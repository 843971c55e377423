import { describe, expect, it } from 'vitest';
import {
  bytesElements,
  type DataType,
  halfToNumber,
  type PlainValue,
  plainTensorFault,
  tensorOfValues,
  typedView,
} from './index.js';

const plain = (dataType: DataType, ...values: PlainValue[]) => ({
  name: 'y',
  dataType,
  shape: [values.length],
  values,
});
const read = (dataType: DataType, ...values: PlainValue[]) => [
  ...(typedView(dataType, tensorOfValues(plain(dataType, ...values)).data) as Iterable<number | bigint>),
];

describe('a tensor as people write it', () => {
  it('has the bytes of its values', () => {
    expect(read('FP32', 0.5, -1)).toEqual([0.5, -1]);
    expect(read('INT64', '-9223372036854775808', 7)).toEqual([-(2n ** 63n), 7n]);
    expect(read('UINT8', 255, 0)).toEqual([255, 0]);
    expect(read('BOOL', true, false)).toEqual([1, 0]);
    expect(read('FP16', 1.5).map((bits) => halfToNumber(Number(bits)))).toEqual([1.5]);
    const texts = bytesElements(tensorOfValues(plain('BYTES', 'a', 'é')).data);
    expect(texts.map((bytes) => new TextDecoder().decode(bytes))).toEqual(['a', 'é']);
  });

  it.each([
    ['FP32', ['1'], /element 0 \("1"\) is no FP32/],
    ['INT8', [128], /no INT8/],
    ['UINT8', [1, -1], /element 1/],
    ['UINT64', ['18446744073709551616'], /no UINT64/],
    ['INT32', [0.5], /no INT32/],
    ['BOOL', [1], /no BOOL/],
    ['BYTES', [1], /no BYTES/],
  ] as const)('%s of %j is refused', (dataType, values, why) => {
    expect(plainTensorFault(plain(dataType, ...values))).toMatch(why);
  });

  it('whose values are too few is refused', () => {
    expect(plainTensorFault({ ...plain('FP32', 1), shape: [2, 2] })).toBe('shape [2,2] has 4 elements, 1 are given');
  });
});
