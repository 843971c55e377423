import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fp32 } from '../../../../test/support/specs.js';
import { type InferenceResponse, serialiseBytes, type Tensor } from '../../../core/index.js';
import { OWN_ROOM } from '../reply-room.js';
import { encodePredictReply } from './predict-reply.js';

function encode(kind: 'rows' | 'columns', ...outputs: Tensor[]): string {
  return encodePredictReply({ outputs } as unknown as InferenceResponse, kind, OWN_ROOM).toString();
}

function texts(name: string, shape: readonly number[], ...values: (string | Uint8Array)[]): Tensor {
  return { name, dataType: 'BYTES', shape, data: serialiseBytes(values.map((value) => Buffer.from(value as string))) };
}

describe('answers of :predict', () => {
  it('gives the only output without its name, several by name', () => {
    const y = fp32('y', [2, 2], [1, 2, 3, 4]);
    const z = fp32('z', [2], [5, 6]);
    expect(JSON.parse(encode('rows', y))).toEqual({
      predictions: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(JSON.parse(encode('columns', y))).toEqual({
      outputs: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(JSON.parse(encode('rows', y, z))).toEqual({
      predictions: [
        { y: [1, 2], z: 5 },
        { y: [3, 4], z: 6 },
      ],
    });
    expect(JSON.parse(encode('columns', y, z))).toEqual({
      outputs: {
        y: [
          [1, 2],
          [3, 4],
        ],
        z: [5, 6],
      },
    });
  });

  it('writes strings as strings, and as base64 where the name says so or they are no UTF-8', () => {
    expect(encode('columns', texts('t', [2, 1], 'a,b', 'c]"'))).toBe('{"outputs":[["a,b"],["c]\\""]]}');
    const b64 = Buffer.from('a').toString('base64');
    expect(JSON.parse(encode('rows', texts('image_bytes', [1], 'a')))).toEqual({ predictions: [{ b64 }] });
    expect(JSON.parse(encode('columns', texts('t', [], Uint8Array.of(0xff))))).toEqual({ outputs: { b64: '/w==' } });
    const rows = encode('rows', texts('t', [2, 2], 'a', 'b', 'c', ''), fp32('y', [2], [1, 2]));
    expect(JSON.parse(rows)).toEqual({
      predictions: [
        { t: ['a', 'b'], y: 1 },
        { t: ['c', ''], y: 2 },
      ],
    });
  });

  it('writes NaN and infinities as bare words, and half floats as numbers', () => {
    expect(encode('rows', fp32('y', [3], [Number.NaN, Infinity, -Infinity]))).toBe(
      '{"predictions":[NaN,Infinity,-Infinity]}',
    );
    const half: Tensor = {
      name: 'h',
      dataType: 'FP16',
      shape: [2],
      data: new Uint8Array(Uint16Array.of(0x3c00, 0xc100).buffer),
    };
    expect(encode('rows', half)).toBe('{"predictions":[1.0,-2.5]}');
    const brain: Tensor = { ...half, dataType: 'BF16', data: new Uint8Array(Uint16Array.of(0x3f80, 0xff80).buffer) };
    expect(encode('rows', brain)).toBe('{"predictions":[1.0,-Infinity]}');
  });

  it('refuses rows where outputs have none, or not as many', () => {
    const scalar = fp32('s', [], [1]);
    expect(() => encode('rows', scalar)).toThrow(/output "s": shape \[\] has not a row for each instance/);
    expect(() => encode('rows', fp32('y', [2]), fp32('z', [3]))).toThrow(/output "z": shape \[3\]/);
    expect(encode('columns', scalar)).toBe('{"outputs":1.0}');
    expect(encode('columns')).toBe('{"outputs":{}}');
  });

  it('nests any shape as JSON.stringify does, long rows and empty axes too', () => {
    const shapes = fc.array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom(31, 32, 40)), { maxLength: 4 });
    fc.assert(
      fc.property(shapes, (shape) => {
        const count = shape.reduce((a, b) => a * b, 1);
        fc.pre(count <= 20_000);
        const values = Int32Array.from({ length: count }, (_, i) => (i % 7) * (i % 2 ? -1001 : 3));
        const tensor: Tensor = { name: 'y', dataType: 'INT32', shape, data: new Uint8Array(values.buffer) };
        expect(encode('columns', tensor)).toBe(`{"outputs":${JSON.stringify(nested(shape, [...values]))}}`);
      }),
      { numRuns: 200 },
    );
  });
});

function nested(shape: readonly number[], values: readonly number[]): unknown {
  const [size, ...rest] = shape;
  if (size === undefined) return values[0];
  const part = size === 0 ? 0 : values.length / size;
  return Array.from({ length: size }, (_, i) => nested(rest, values.slice(i * part, (i + 1) * part)));
}
