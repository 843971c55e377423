import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fp32 } from '../../test/support/specs.js';
import { ALL_DATA_TYPES, tensors } from '../../test/support/tensor-arbitrary.js';
import { DATA_TYPES, serialiseBytes, type Tensor } from '../core/index.js';
import { compareOutputs, keptOutputs, summarise } from './index.js';
import { rankCorrelation } from './rank-correlation.js';

const CLOSE = { absolute: 1e-5, relative: 1e-3 };
const ALL = { elements: 1e6, ranked: 1e6 };

function compare(reference: Tensor[], candidate: Tensor[], look = ALL) {
  return compareOutputs(reference, candidate, true, CLOSE, look);
}

function texts(name: string, ...elements: string[]): Tensor {
  const data = serialiseBytes(elements.map((element) => new TextEncoder().encode(element)));
  return { name, dataType: 'BYTES', shape: [elements.length], data };
}

function integers(...values: bigint[]): Tensor {
  return {
    name: 'y',
    dataType: 'INT64',
    shape: [values.length],
    data: new Uint8Array(BigInt64Array.from(values).buffer),
  };
}

describe('comparison of outputs', () => {
  it('agrees with itself, whatever the data type, NaN and infinities included', () => {
    fc.assert(
      fc.property(tensors(ALL_DATA_TYPES, { anyBits: true }), fc.boolean(), (tensor, batched) => {
        const found = compareOutputs([tensor], [tensor], batched, { absolute: 0, relative: 0 }, ALL);
        expect(found).toMatchObject({ agrees: true, maxAbsoluteError: 0, maxRelativeError: 0 });
        expect(found.topAgrees).not.toBe(false);
      }),
    );
  });

  it('sees an element that differs, in every data type, and never more than the largest errors there are', () => {
    fc.assert(
      fc.property(tensors(ALL_DATA_TYPES, { anyBits: true }), fc.nat(), (tensor, where) => {
        fc.pre(tensor.data.byteLength > 0 && tensor.dataType !== 'BYTES');
        const other = new Uint8Array(tensor.data);
        const size = DATA_TYPES[tensor.dataType].elementBytes;
        // The first byte of the element that says most: 0 becomes another number than before, and not by sign alone.
        const at = (where % (other.length / size)) * size + size - 1;
        other[at] = tensor.dataType === 'BOOL' ? (other[at] === 0 ? 1 : 0) : (other[at] as number) ^ 0x15;
        const found = compareOutputs([tensor], [{ ...tensor, data: other }], true, { absolute: 0, relative: 0 }, ALL);
        const nans = isNaNPair(tensor, other, at - size + 1);
        expect(found.agrees).toBe(nans);
        expect(found.maxAbsoluteError).toBeLessThanOrEqual(Number.MAX_VALUE);
        expect(found.maxRelativeError).toBeLessThanOrEqual(2);
      }),
    );
  });

  it('takes an output that is missing, more, of another shape or of another kind for a difference', () => {
    const y = fp32('y', [2, 3]);
    expect(compare([y], [])).toMatchObject({ agrees: false, topAgrees: false, maxAbsoluteError: 0 });
    expect(compare([], [y])).toMatchObject({ agrees: false, topAgrees: undefined });
    expect(compare([y], [fp32('y', [3, 2])])).toMatchObject({ agrees: false, topAgrees: false });
    expect(compare([y], [fp32('z', [2, 3])])).toMatchObject({ agrees: false, topAgrees: false });
    expect(compare([y], [texts('y', 'a')])).toMatchObject({ agrees: false });
    expect(compare([y, texts('t', 'a')], [texts('t', 'a'), y])).toMatchObject({ agrees: true, topAgrees: true });
  });

  it('compares floats of another width with the tolerances, as of a quantised model', () => {
    const reference = fp32('y', [1, 3], [1, 2.002, -3]);
    const data = new Uint8Array(Uint16Array.from([0x3c00, 0x4001, 0xc200]).buffer);
    const half: Tensor = { name: 'y', dataType: 'FP16', shape: [1, 3], data };
    expect(compare([reference], [half])).toMatchObject({ agrees: true, topAgrees: true, rankCorrelation: 1 });
  });

  it('compares texts by their bytes', () => {
    expect(compare([texts('t', 'one', 'two')], [texts('t', 'one', 'two')]).agrees).toBe(true);
    expect(compare([texts('t', 'one', 'two')], [texts('t', 'one', 'twice')]).agrees).toBe(false);
    expect(compare([texts('t', 'one', 'twice')], [texts('t', 'one', 'two')]).agrees).toBe(false);
    expect(compare([texts('t', 'ab', '')], [texts('t', 'a', 'b')])).toMatchObject({
      agrees: false,
      topAgrees: undefined,
    });
  });

  it('tells 64-bit integers apart that are one as doubles', () => {
    expect(compare([integers(2n ** 60n)], [integers(2n ** 60n + 1n)])).toMatchObject({
      agrees: false,
      maxAbsoluteError: 1,
    });
  });

  it('defines errors where the reference is 0, and where there is no number', () => {
    expect(compare([fp32('y', [1, 2], [0, 4])], [fp32('y', [1, 2], [1e-9, 4])])).toMatchObject({
      agrees: true,
      maxRelativeError: 1,
    });
    expect(compare([fp32('y', [1, 1], [1])], [fp32('y', [1, 1], [Number.NaN])])).toMatchObject({
      agrees: false,
      maxAbsoluteError: Number.MAX_VALUE,
      maxRelativeError: 2,
    });
  });

  it('asks for the largest element of every row, and for ranks of rows of three at least', () => {
    const reference = fp32('y', [2, 3], [1, 2, 3, 6, 5, 4]);
    expect(compare([reference], [fp32('y', [2, 3], [1, 2, 3, 6, 5, 4.001])]).topAgrees).toBe(true);
    const found = compare([reference], [fp32('y', [2, 3], [1, 2, 3, 4, 5, 6])]);
    expect(found).toMatchObject({ topAgrees: false, rankCorrelation: 0 });
    expect(compare([fp32('y', [3, 2])], [fp32('y', [3, 2])]).rankCorrelation).toBeUndefined();
    expect(rankCorrelation([5, 5, 5], [5, 5, 5])).toBe(1);
    expect(rankCorrelation([5, 5, 5], [5, 5, 6])).toBe(0);
    expect(rankCorrelation([1, 2, 3], [1, Number.NaN, 3])).toBe(0);
  });

  it('looks at the beginning of each output alone, and thins out what is ranked', () => {
    const long = Array.from({ length: 100 }, (_, i) => i);
    const other = long.map((value, i) => (i < 25 ? value : value + 1));
    const look = { elements: 50, ranked: 5 };
    const both = (values: number[]) => [fp32('a', [1, 100], values), fp32('b', [1, 100], values)];
    expect(compare(both(long), both(other), look)).toMatchObject({ agrees: true, rankCorrelation: 1 });
    expect(compare([fp32('a', [1, 100], long)], [fp32('a', [1, 100], other)], look).agrees).toBe(false);
    const shuffled = long.map((value, i) => (i % 10 === 0 ? value : 100 - value));
    expect(compare([fp32('a', [1, 100], long)], [fp32('a', [1, 100], shuffled)], look).rankCorrelation).toBe(1);
    expect(compare([texts('t', 'a'.repeat(500))], [texts('t', 'a'.repeat(499).concat('b'))], look).agrees).toBe(true);
  });

  it('finds the same in what is kept of the reference for it', () => {
    const output = tensors(ALL_DATA_TYPES, { anyBits: true });
    fc.assert(
      fc.property(fc.array(output, { maxLength: 4 }), fc.nat(40), fc.nat(), (outputs, elements, where) => {
        const named = outputs.map((one, i) => ({ ...one, name: `y${i}` }));
        const other = named.map((one) => {
          const data = new Uint8Array(one.data);
          if (one.dataType !== 'BYTES' && data.length > 0) data[where % data.length] = 1;
          return { ...one, data };
        });
        const look = { elements, ranked: 10 };
        const kept = keptOutputs(named, look);
        expect(kept.reduce((sum, { data }) => sum + data.byteLength, 0)).toBeLessThanOrEqual(elements * 8);
        expect(compare(kept, other, look)).toEqual(compare(named, other, look));
      }),
    );
  });

  it('knows whole rows alone for distributions', () => {
    const rows = fp32('y', [2, 2], [0.5, 0.5, 0.25, 0.75]);
    expect(compare([rows], [fp32('y', [2, 2], [0.5, 0.5, 0.75, 0.25])]).totalVariation).toBe(0.25);
    expect(compare([rows], [fp32('y', [2, 2], [0.5, 0.5, 3, 3])], { elements: 3, ranked: 9 }).totalVariation).toBe(0);
    expect(compare([rows], [fp32('y', [2, 2], [0.5, 0.5, 3, 3])]).totalVariation).toBeUndefined();
  });
});

describe('summary of outputs', () => {
  it('is of the first row of the first output of numbers', () => {
    const outputs = [texts('t', 'a'), fp32('y', [2, 3], [1, 7, 3, 9, 9, 9])];
    expect(summarise(outputs, true, 100)).toEqual({ topIndex: 1, topValue: 7, finite: true });
    expect(summarise(outputs, false, 100)).toEqual({ topIndex: 3, topValue: 9, finite: true });
    expect(summarise([texts('t', 'a')], true, 100)).toBeUndefined();
    expect(summarise([fp32('y', [0, 3], [])], true, 100)).toBeUndefined();
  });

  it.each([
    ['FP32', new Float32Array([1, Number.NaN])],
    ['FP64', new Float64Array([1, Number.POSITIVE_INFINITY])],
    ['FP16', new Uint16Array([0x3c00, 0x7c01])],
    ['BF16', new Uint16Array([0x3f80, 0xff80])],
  ] as const)('finds what is not finite among %s, where it looks', (dataType, array) => {
    const tensor: Tensor = { name: 'y', dataType, shape: [1, 2], data: new Uint8Array(array.buffer) };
    expect(summarise([tensor], true, 2)).toMatchObject({ finite: false });
    expect(summarise([tensor], true, 1)).toEqual({ topIndex: 0, topValue: 1, finite: true });
    const nothing = { ...tensor, shape: [1, 1], data: tensor.data.subarray(tensor.data.byteLength / 2) };
    expect(summarise([nothing], true, 2)?.finite).toBe(false);
  });

  it('keeps a row of nothing but NaN readable', () => {
    const nothing = fp32('y', [1, 2], [Number.NaN, Number.NaN]);
    expect(summarise([nothing], true, 2)).toEqual({ topIndex: -1, topValue: 0, finite: false });
  });
});

/** Whether the element was NaN and still is. */
function isNaNPair({ dataType, data }: Tensor, other: Uint8Array, at: number): boolean {
  const value = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    if (dataType === 'FP32') return view.getFloat32(0, true);
    if (dataType === 'FP64') return view.getFloat64(0, true);
    const bits = dataType === 'FP16' || dataType === 'BF16' ? view.getUint16(0, true) & 0x7fff : 0;
    return bits > (dataType === 'FP16' ? 0x7c00 : 0x7f80) ? Number.NaN : 0;
  };
  return Number.isNaN(value(data)) && Number.isNaN(value(other));
}
