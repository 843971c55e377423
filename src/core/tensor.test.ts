import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  byteSize,
  bytesElements,
  countBytesElements,
  DATA_TYPES,
  type DataType,
  dataTypeOfOnnx,
  dataTypeOfTriton,
  elementCount,
  isDataType,
  serialiseBytes,
  typedView,
} from './index.js';

const ALL = Object.keys(DATA_TYPES) as DataType[];

describe('data types', () => {
  it.each(ALL)('%s is one row: its array, its size and its names agree', (name) => {
    const facts = DATA_TYPES[name];
    expect(isDataType(name)).toBe(true);
    expect(dataTypeOfOnnx(facts.onnxElementType)).toBe(name);
    expect(dataTypeOfTriton(facts.tritonName)).toBe(name);
    if (name === 'BYTES') expect(byteSize(name, [3])).toBeNaN();
    else {
      expect(new facts.array(new ArrayBuffer(16)).BYTES_PER_ELEMENT).toBe(facts.elementBytes);
      expect(byteSize(name, [2, 3])).toBe(6 * facts.elementBytes);
    }
  });

  it('are refused where they are spelled otherwise', () => {
    for (const name of ['fp32', 'FLOAT', '', '__proto__', 'toString', undefined, 3])
      expect(isDataType(name)).toBe(false);
  });
});

describe('tensors', () => {
  it('count a scalar as one element and an empty axis as none', () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([4, 0, 2])).toBe(0);
  });

  it('are viewed by type at any offset, with the same values', () => {
    const bytes = new Uint8Array(1 + 16);
    new DataView(bytes.buffer).setBigInt64(1, -(2n ** 62n), true);
    new DataView(bytes.buffer).setBigInt64(9, 7n, true);
    expect([...(typedView('INT64', bytes.subarray(1)) as BigInt64Array)]).toEqual([-(2n ** 62n), 7n]);
  });

  it('hold BYTES elements of any content, back and forth', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (elements) => {
        const data = serialiseBytes(elements);
        expect(countBytesElements(data)).toBe(elements.length);
        expect(bytesElements(data).map((e) => [...e])).toEqual(elements.map((e) => [...e]));
      }),
    );
  });

  it('tell BYTES data whose lengths run past the end', () => {
    for (const data of [[1], [1, 0, 0, 0], [255, 255, 255, 255, 0], [0, 0, 0, 0, 9]]) {
      expect(countBytesElements(Uint8Array.from(data))).toBe(-1);
    }
  });
});
