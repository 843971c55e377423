import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTEXT, responseOf } from '../../../../test/support/inference-samples.js';
import type { DataType, TypedArray } from '../../../core/index.js';
import { encodeInferReply } from './infer-reply.js';
import { decodeInferBody } from './infer-request.js';
import { writeInteger64 } from './integer-text.js';
import { JSON_REPLY } from './reply-format.js';

const STRICT = { ...CONTEXT, headerLength: undefined, allowNan: false };

function decodeData(datatype: string, items: readonly string[]): Uint8Array {
  const body = `{"inputs":[{"name":"x","shape":[${items.length}],"datatype":"${datatype}","data":[${items.join(', ')}]}]}`;
  return decodeInferBody(Buffer.from(body), STRICT).request.inputs[0]?.data as Uint8Array;
}

/** Random doubles over all exponents, printed in the ways programs print them. */
function texts(count: number, random: () => number): string[] {
  const bits = new DataView(new ArrayBuffer(8));
  const all: string[] = [];
  while (all.length < count) {
    bits.setUint32(0, random() * 2 ** 32);
    bits.setUint32(4, random() * 2 ** 32);
    const wide = bits.getFloat64(0);
    const near = (random() - 0.5) * 10 ** Math.floor(random() * 12);
    const single = Math.fround(near);
    for (const value of [wide, near, single]) {
      if (!Number.isFinite(value)) continue;
      const digits = 1 + Math.floor(random() * 20);
      all.push(`${value}`, value.toPrecision(digits), value.toExponential(digits));
      if (Math.abs(value) < 1e20) all.push(value.toFixed(digits));
    }
  }
  return all;
}

/** Numbers half-way between two FP32 or doubles, and around the ends of the ranges: where rounding goes wrong first. */
const HARD = [
  '0',
  '-0',
  '-0.0',
  '0e5',
  '0.0e-400',
  '5e-324',
  '2.4703282292062327e-324',
  '2.2250738585072011e-308',
  '1e-400',
  '1e22',
  '1e23',
  '9007199254740993',
  '9007199254740992.5',
  '9007199254740993.0000000000000000001',
  '8.5070591730234616e37',
  '1.00000005960464477539062',
  '1.000000059604644775390625',
  '1.00000005960464477539063',
  '16777217',
  '16777217.0000000000000001',
  '16777216.99999999999999999',
  '3.4028234663852886e38',
  '3.4028235677973362e38',
  '7.0064923216240853e-46',
  '7.0064923216240862e-46',
  '1.1754943508222875e-38',
  '123456789012345678901234567890',
  '0.000000000000000000000000000001234567890123456789',
  '1E2',
  '1e+2',
  '0.00000000000000000000000000000000000000000000000000',
  `0.${'0'.repeat(400)}1e400`,
  `1${'0'.repeat(400)}e-400`,
  `0.${'1234567890'.repeat(100)}`,
  `${'9'.repeat(300)}.${'9'.repeat(300)}`,
  '1e-99999999999999999999',
  '0e99999999999999999999',
  '123456789',
  '1234567890',
  '0.123456789',
  '0.1234567890',
  '123456789.0',
  '123456789012345678901234567.5',
  '1.7976931348623157e308',
];

/** The number half-way between two neighbours of FP32 or FP64, all its digits, exactly or off by one in a late digit. */
function halfways(count: number, random: () => number): string[] {
  const all: string[] = [];
  while (all.length < count) {
    const value = random() * 10 ** Math.floor(random() * 36 - 18);
    const [mantissaBits, single] = random() < 0.5 ? [24, true] : [53, false];
    const near = single ? Math.fround(value) : value;
    const unit = Math.floor(Math.log2(near)) + 1 - mantissaBits;
    const mantissa = BigInt(near / 2 ** unit) * 2n + 1n;
    const point = 1 - unit;
    if (point <= 0) continue;
    const digits = `${mantissa * 5n ** BigInt(point)}`.padStart(point + 1, '0');
    const text = `${digits.slice(0, -point)}.${digits.slice(-point)}`;
    const kept = Math.min(text.length, text.indexOf('.') + 12 + Math.floor(random() * 20));
    all.push(text, `${text}0001`, text.slice(0, -1) + 4, text.slice(0, kept));
  }
  return all;
}

/** Digits in front of any exponent that a number's text needs. */
function significant(text: string): number {
  return text.replace(/e.*/, '').replace(/\D/g, '').replace(/^0+/, '').replace(/0+$/, '').length;
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('reading JSON floats', () => {
  const all = [...HARD, ...halfways(40_000, seeded(5)), ...texts(200_000, seeded(7))];

  it('gives the bits of JSON.parse for FP64', () => {
    const expected = Float64Array.from(all, (text) => JSON.parse(text));
    expect(Buffer.compare(decodeData('FP64', all), new Uint8Array(expected.buffer))).toBe(0);
  });

  it('gives the bits of Math.fround of JSON.parse for FP32', () => {
    const inRange = all.filter((text) => Number.isFinite(Math.fround(JSON.parse(text))));
    const expected = Float32Array.from(inRange, (text) => JSON.parse(text));
    expect(inRange.length).toBeGreaterThan(150_000);
    expect(Buffer.compare(decodeData('FP32', inRange), new Uint8Array(expected.buffer))).toBe(0);
  });

  it.each(['1e400', '-1e400', '1.8e308', '99999999999999999999e300'])('refuses %s, which no double holds', (text) => {
    expect(() => decodeData('FP64', [text])).toThrow(/must be a number in range for FP64/);
  });

  it.each(['3.4028235677973366e38', '-1e39'])('refuses %s for FP32', (text) => {
    expect(() => decodeData('FP32', ['1', text])).toThrow(/input "x": element 1 must be a number in range for FP32/);
  });

  it.each([
    '01',
    '-01',
    '+1',
    '.5',
    '1.',
    '1.e3',
    '1e',
    '1e+',
    '-',
    '0x10',
    '1_0',
    'null',
    'true',
    '"1"',
    '[1]',
    '{}',
    'nan',
  ])('refuses %s', (text) => {
    expect(() => decodeData('FP32', [text])).toThrow(/expected|must be/);
  });
});

describe('reading JSON integers', () => {
  const types = ['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'] as const;

  it.each(types)('takes both ends of %s and refuses one past them', (type) => {
    const bits = BigInt(type.replace(/\D+/, ''));
    const [min, max] = type.startsWith('U') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
    const data = decodeData(type, [`${min}`, `${max}`]);
    const read = (at: number): bigint => {
      let value = 0n;
      for (let i = Number(bits) / 8 - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[at + i] as number);
      return type.startsWith('U') ? value : BigInt.asIntN(Number(bits), value);
    };
    expect([read(0), read(Number(bits) / 8)]).toEqual([min, max]);
    expect(() => decodeData(type, [`${min - 1n}`])).toThrow(`must be from ${min} to ${max}`);
    expect(() => decodeData(type, [`${max + 1n}`])).toThrow(`must be from ${min} to ${max}`);
    expect(() => decodeData(type, ['1'.repeat(100_000)])).toThrow(`must be from ${min} to ${max}`);
  });

  it.each(['1.0', '1e2', '1E0', '01', '-', 'true', '"1"', 'null'])('refuses %s, as Triton does', (text) => {
    for (const type of types) expect(() => decodeData(type, [text])).toThrow(/must be an integer|expected/);
  });

  it('keeps every bit of 64-bit integers', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }), (values) => {
        const data = decodeData('INT64', values.map(String));
        expect([...new BigInt64Array(data.buffer, data.byteOffset, values.length)]).toEqual(values);
      }),
      { numRuns: 300 },
    );
  });
});

function distance(text: string, value: number): number {
  return Math.abs(Number(text) - value);
}

/** An answer's elements as they are written. */
function texts32(values: Float32Array): string[] {
  return writtenTexts('FP32', values);
}

function writtenTexts(dataType: DataType, values: TypedArray): string[] {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const output = { name: 'y', dataType, shape: [values.length], data };
  const { body } = encodeInferReply(responseOf([output]), JSON_REPLY, { allowNan: true });
  return body
    .subarray(body.lastIndexOf('[') + 1, body.lastIndexOf(']', body.length - 3))
    .toString('latin1')
    .split(',');
}

describe('writing JSON numbers', () => {
  /** `count` floats by `make`, those that are finite. */
  function finite<T extends Float32Array | Float64Array>(values: T, make: (i: number, values: T) => void): T {
    for (let i = 0; i < values.length; i++) {
      do make(i, values);
      while (!Number.isFinite(values[i]));
    }
    return values;
  }

  it('writes FP32 that read back to the same bits, in 9 digits at most', () => {
    const random = seeded(3);
    const values = new Float32Array(300_000);
    const bits = new Uint32Array(values.buffer);
    finite(values, (i) => {
      if (i % 3 === 0) values[i] = random() - 0.5;
      else if (i % 3 === 1) values[i] = (random() - 0.5) * 10 ** Math.floor(random() * 20 - 10);
      else bits[i] = random() * 2 ** 32;
    });
    const texts = texts32(values);
    expect(texts.length).toBe(values.length);
    const back = Float32Array.from(texts, (text) => JSON.parse(text));
    expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(values.buffer))).toBe(0);
    expect(texts.filter((text) => significant(text) > 9 || !/[.e]/.test(text))).toEqual([]);
  });

  it.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [-2.5, '-2.5'],
    [Math.fround(0.1), '0.1'],
    [Math.fround(1e-7), '1e-7'],
    [Math.fround(3.4028235e38), '3.4028235e+38'],
    [Math.fround(1e-45), '1e-45'],
    [16777216, '16777216.0'],
    [123456792, '123456792.0'],
    [Math.fround(1e10), '10000000000.0'],
    [Math.fround(1e21), '1e+21'],
    [Math.fround(123456.79), '123456.79'],
    [Math.fround(0.00012), '0.00012'],
    [Math.fround(0.000001), '0.000001'],
  ])('writes FP32 %s short', (value, text) => {
    const [came] = texts32(Float32Array.of(value));
    expect(Math.fround(Number(came))).toBe(value);
    expect(came).toBe(text);
  });

  it('writes the nearest of the shortest texts of FP32', () => {
    const random = seeded(13);
    const values = new Float32Array(100_000);
    const bits = new Uint32Array(values.buffer);
    finite(values, (i) => {
      if (i % 4 === 0) values[i] = 2 ** Math.floor(random() * 277 - 149);
      else if (i % 4 === 1) values[i] = Number((random() * 1000).toPrecision(1 + Math.floor(random() * 8)));
      else bits[i] = random() * 2 ** 31;
    });
    const texts = texts32(values);
    const wrong = texts.filter((text, i) => {
      const value = values[i] as number;
      // Integers below 10^9 are written digit for digit.
      if (Number.isInteger(value) && value < 1e9) return text !== `${value}.0`;
      let digits = 0;
      while (Math.fround(Number(value.toExponential(digits))) !== value) digits++;
      // At a power of two the nearest of so many digits may not read back where another does.
      const exact = (mantissa: number) => (mantissa & 0x7fffff) === 0;
      if (exact(bits[i] as number)) return significant(text) > digits + 1;
      return significant(text) > digits + 1 || distance(text, value) > distance(value.toExponential(digits), value);
    });
    expect(wrong).toEqual([]);
  });

  it('writes FP64 as JavaScript does, with a fraction or an exponent', () => {
    const random = seeded(17);
    const values = new Float64Array(400_000);
    const words = new Uint32Array(values.buffer);
    finite(values, (i) => {
      if (i % 6 === 0) values[i] = 2 ** Math.floor(random() * 2098 - 1074);
      else if (i % 6 === 1) values[i] = Number((random() * 1000).toPrecision(1 + Math.floor(random() * 17)));
      else if (i % 6 === 2) values[i] = Math.floor(random() * 2 ** 53) * 2 ** Math.floor(random() * 20);
      else if (i % 6 === 3) values[i] = Number(`${Math.floor(random() * 1000)}e${Math.floor(random() * 600 - 320)}`);
      else words.set([random() * 2 ** 32, random() * 2 ** 32], 2 * i);
    });
    const wrong = writtenTexts('FP64', values).filter((text, i) => {
      const value = values[i] as number;
      return text !== (Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : `${value}`);
    });
    expect(wrong).toEqual([]);
  });

  it('writes NaN and Infinity among others where they are allowed', () => {
    const values = Float64Array.of(Number.NaN, 1.5, -1 / 0, 1 / 0, -0.1, Number.NaN);
    expect(writtenTexts('FP64', values)).toEqual(['NaN', '1.5', '-Infinity', 'Infinity', '-0.1', 'NaN']);
    expect(texts32(Float32Array.from(values))).toEqual(['NaN', '1.5', '-Infinity', 'Infinity', '-0.1', 'NaN']);
  });

  it('writes 64-bit integers digit for digit', () => {
    const out = Buffer.alloc(32);
    const edges = [
      0n,
      9n,
      10n,
      999_999_999n,
      1_000_000_000n,
      1_000_000_001n,
      2n ** 53n,
      2n ** 53n - 1n,
      2n ** 63n - 1n,
    ];
    const anyValue = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }));
    fc.assert(
      fc.property(anyValue, fc.boolean(), (magnitude, negative) => {
        const value = negative ? -magnitude : magnitude;
        const end = writeInteger64(out, 0, Number(value >> 32n), Number(value & 0xffff_ffffn));
        expect(out.toString('latin1', 0, end)).toBe(`${value}`);
      }),
      { numRuns: 2000 },
    );
  });
});
