import { describe, expect, it } from 'vitest';
import type { DataType } from './data-type.js';
import { elementOf } from './pad-element.js';

describe('one element of a data type', () => {
  it.each<[DataType, number, number[]]>([
    ['INT64', -2, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['UINT8', 255, [255]],
    ['INT32', 1, [1, 0, 0, 0]],
    ['BOOL', 1, [1]],
    ['FP32', -10000, [0, 0x40, 0x1c, 0xc6]],
    ['FP16', 1, [0, 0x3c]],
    ['BF16', 1, [0x80, 0x3f]],
    ['FP64', 0, [0, 0, 0, 0, 0, 0, 0, 0]],
  ])('%s %d is %j', (dataType, value, bytes) => {
    expect([...(elementOf(dataType, value) ?? [])]).toEqual(bytes);
  });

  it.each<[DataType, number]>([
    ['INT64', 0.5],
    ['INT64', 2 ** 60],
    ['UINT8', 256],
    ['UINT8', -1],
    ['BOOL', 2],
    ['FP32', Number.NaN],
    ['BYTES', 0],
  ])('%s has no %d', (dataType, value) => {
    expect(elementOf(dataType, value)).toBeUndefined();
  });
});
