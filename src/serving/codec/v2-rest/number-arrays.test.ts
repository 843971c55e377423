import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTEXT } from '../../../../test/support/inference-samples.js';
import { decodeInferBody } from './infer-request.js';

// Arrays of numbers in every outward form: white space, nesting, pieces of text longer than what is read at once, what is wrong at
// any place. The bits of single numbers are looked at in numbers.test.ts.

const STRICT = { ...CONTEXT, headerLength: undefined, allowNan: false };
const ARRAYS = { FP32: Float32Array, FP64: Float64Array, INT32: Int32Array, UINT8: Uint8Array } as const;
type ArrayType = keyof typeof ARRAYS;

function bodyOf(datatype: string, shape: readonly number[], data: string): Buffer {
  return Buffer.from(`{"inputs":[{"name":"x","shape":[${shape}],"datatype":"${datatype}","data":${data}}]}`);
}

function dataOf(body: Uint8Array, allowNan = false): Uint8Array {
  return decodeInferBody(body, { ...STRICT, allowNan }).request.inputs[0]?.data as Uint8Array;
}

function decoded(datatype: ArrayType, shape: readonly number[], data: string): number[] {
  return [...new ARRAYS[datatype](dataOf(bodyOf(datatype, shape, data)).slice().buffer as ArrayBuffer)];
}

/** What JSON.parse makes of it, in the same typed array. */
function parsed(datatype: ArrayType, data: string): number[] {
  return [...ARRAYS[datatype].from(JSON.parse(data).flat(8) as number[])];
}

const integer = (bound: number) => fc.integer({ min: -bound, max: bound }).map(String);
const FLOAT_TEXTS = fc.oneof(
  integer(200),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }).map((value) => value.toFixed(3)),
  fc.double({ noNaN: true, min: -9, max: 9 }).map((value) => value.toExponential(5)),
  fc
    .tuple(fc.constantFrom('', '-'), fc.integer({ min: 1, max: 60 }))
    .map(([sign, n]) => `${sign}0.${'7301'.repeat(n)}`),
  fc.constantFrom('-0', '0', '0.0', '-0.0e5', '12345678901234567890', '999999999999999', '1234567890123456'),
);
const TEXTS = {
  FP32: FLOAT_TEXTS,
  FP64: FLOAT_TEXTS,
  INT32: integer(2 ** 31 - 1),
  UINT8: fc.integer({ min: 0, max: 255 }).map(String),
} as const satisfies Record<ArrayType, fc.Arbitrary<string>>;
const TYPES = Object.keys(TEXTS) as ArrayType[];
const SPACE = fc.constantFrom('', '', '', ' ', '  ', '\n', '\r\n\t ', ' '.repeat(40));

/** A JSON array of `texts` nested as `shape`, with white space in all places where it may be. */
function nested(texts: readonly string[], shape: readonly number[], space: () => string): string {
  let next = 0;
  const level = (axis: number): string => {
    if (axis === shape.length) return `${space()}${texts[next++]}${space()}`;
    const items = Array.from({ length: shape[axis] as number }, () => level(axis + 1));
    return `${space()}[${items.length === 0 ? space() : items.join(',')}]${space()}`;
  };
  return level(0);
}

describe('arrays of JSON numbers', () => {
  it.each(TYPES)('of %s are what JSON.parse makes of them, in any shape and spacing', (type) => {
    const shapes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 });
    const spaces = fc.array(SPACE, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        shapes,
        fc.array(TEXTS[type], { minLength: 1, maxLength: 50 }),
        spaces,
        fc.boolean(),
        (shape, few, spacing, flat) => {
          const count = shape.reduce((product, size) => product * size, 1);
          const texts = Array.from({ length: count }, (_, i) => few[i % few.length] as string);
          let turn = 0;
          const space = () => spacing[turn++ % spacing.length] as string;
          const data = nested(texts, flat ? [count] : shape, space);
          expect(decoded(type, shape, data)).toEqual(parsed(type, data));
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each([
    ['FP32', [30_011]],
    ['FP64', [30_011]],
    ['INT32', [30_011]],
    ['UINT8', [70_001]],
    ['FP32', [10_007, 3]],
    ['FP64', [4, 2503, 1, 3]],
    ['INT32', [131, 251]],
    ['UINT8', [260, 259]],
  ] as const)('%s of shape %j are read whole where their text is longer than what is read at once', (type, shape) => {
    const count = (shape as readonly number[]).reduce((product, size) => product * size, 1);
    for (const texts of fc.sample(fc.array(TEXTS[type], { minLength: 40, maxLength: 90 }), {
      numRuns: 6,
      seed: count,
    })) {
      const all = Array.from({ length: count }, (_, i) => texts[i % texts.length] as string);
      for (const [axes, space] of [
        [shape, ''],
        [[count], ' '],
        [shape, '\n    '],
      ] as const) {
        const data = nested(all, axes, () => space);
        const expected = new ARRAYS[type](all.map(Number));
        expect(Buffer.compare(dataOf(bodyOf(type, shape, data)), new Uint8Array(expected.buffer))).toBe(0);
      }
    }
  });

  it('takes numbers of hundred thousands of digits among others', () => {
    const long = `0.${'1'.repeat(100_000)}`;
    const data = `[1.5,${long}, -${long},${'0.25,'.repeat(30_000)}2.5]`;
    expect(decoded('FP64', [30_004], data)).toEqual(parsed('FP64', data));
  });

  it.each([0, 1, 2, 700, 6_553, 6_554, 12_000, 29_999])('says where element %i is malformed', (wrong) => {
    for (const [type, text] of [
      ['FP32', '0.1234567'],
      ['INT32', '123456789'],
    ] as const) {
      const items = Array.from<string>({ length: 30_000 }).fill(text);
      items[wrong] = '{}';
      const body = bodyOf(type, [30_000], `[${items}]`);
      expect(() => decodeInferBody(body, STRICT)).toThrow(`element ${wrong} must be`);
      items[wrong] = `${text}x`;
      const broken = bodyOf(type, [30_000], `[${items}]`);
      const offset = broken.indexOf(`${text}x`) + text.length;
      expect(() => decodeInferBody(broken, STRICT)).toThrow(`JSON at byte ${offset}: expected "," or "]", came "x`);
    }
  });

  it.each([
    ['[[1,2],[3]]', 'shape [2,2] expects 2 elements in its data along dimension 1, came 1'],
    ['[[1,2],[3,4,5]]', 'shape [2,2] expects 2 elements in its data along dimension 1, came more'],
    ['[[1,2]]', 'shape [2,2] expects 2 elements in its data along dimension 0, came 1'],
    ['[[1,2],[3,4],[5,6]]', 'shape [2,2] expects 2 elements in its data along dimension 0, came more'],
    ['[1,2,3]', 'shape [2,2] expects 4 elements in its data, came 3'],
    ['[1,2,3,4,5]', 'shape [2,2] expects 4 elements in its data, came more'],
    ['[          ]', 'shape [2,2] expects 4 elements in its data, came 0'],
    ['[[1,2],3]', 'expected an array (a row of data), came "3]'],
    ['[[1,2],[3,4]', 'expected "," or "]", came "}'],
    ['[[1,2][3,4]]', 'expected "," or "]", came "[3,4]'],
    ['[[1,2],[3 4]]', 'expected "," or "]", came "4]]'],
    ['[[1,,2],[3,4]]', 'expected a number (a value), came ",2]'],
  ])('of %s says %s', (data, message) => {
    for (const type of ['FP32', 'INT64']) {
      if (type === 'INT64' && message.includes('a value')) continue;
      expect(() => decodeInferBody(bodyOf(type, [2, 2], data), STRICT)).toThrow(message);
    }
  });

  it('takes NaN and Infinity among numbers where they are allowed', () => {
    const items = Array.from({ length: 20_000 }, (_, i) => (i % 3 === 0 ? 'NaN' : i % 3 === 1 ? '-Infinity' : '0.5'));
    const came = dataOf(bodyOf('FP32', [20_000], `[${items}]`), true);
    expect(Buffer.compare(came, Buffer.from(Float32Array.from(items, Number).buffer))).toBe(0);
  });

  it.each([0, 1, 3, 7])('reads a body %i bytes into shared memory', (at) => {
    const items = Array.from({ length: 30_000 }, (_, i) => `${i / 8}`);
    const body = bodyOf('FP32', [30_000], `[${items}]`);
    const shared = new Uint8Array(new SharedArrayBuffer(body.length + 8), at, body.length);
    shared.set(body);
    const expected = Float32Array.from(items, Number);
    expect(Buffer.compare(dataOf(shared), new Uint8Array(expected.buffer))).toBe(0);
  });

  it('reads bodies one after the other that lie in the same memory', () => {
    const memory = Buffer.alloc(4096);
    for (const value of ['1.25', '2.50', '3.75']) {
      const body = bodyOf('FP32', [100], `[${Array(100).fill(value)}]`);
      body.copy(memory);
      const came = dataOf(memory.subarray(0, body.length));
      expect(new Float32Array(came.buffer)).toEqual(new Float32Array(100).fill(Number(value)));
    }
  });
});
