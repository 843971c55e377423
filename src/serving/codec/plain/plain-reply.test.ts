import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import {
  type InferenceResponse,
  type ModelSpec,
  numberToHalf,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';
import { OWN_ROOM } from '../reply-room.js';
import { highest } from './highest.js';
import { encodePlainReply } from './plain-reply.js';

const floats = (name: string, shape: readonly number[], ...values: number[]): Tensor => ({
  name,
  dataType: 'FP32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const texts = (name: string, shape: readonly number[], ...values: string[]): Tensor => ({
  name,
  dataType: 'BYTES',
  shape,
  data: serialiseBytes(values.map((value) => Buffer.from(value))),
});

function answer(outputs: readonly Tensor[], spec: ModelSpec, batch = false, allowNan = false): unknown {
  const encoded = encodePlainReply({ outputs } as InferenceResponse, spec, {
    batch,
    allowNan,
    room: OWN_ROOM,
  }).toString();
  return allowNan ? encoded : JSON.parse(encoded);
}

const SPEC = modelSpec({
  outputs: [tensorSpec('y', 'FP32', [2, 1]), tensorSpec('z', 'FP32', [1]), tensorSpec('t', 'BYTES', [2])],
});

describe('a plain answer', () => {
  it('is an object of a row, nested as its shapes are, one value alone', () => {
    const outputs = [floats('y', [1, 2, 1], 1, 2), floats('z', [1, 1], 3), texts('t', [1, 2], 'a', '"')];
    expect(answer(outputs, SPEC)).toEqual({ y: [[1], [2]], z: 3, t: ['a', '"'] });
  });

  it('is an array of rows for a batch', () => {
    const outputs = [
      floats('y', [2, 2, 1], 1, 2, 3, 4),
      floats('z', [2, 1], 5, 6),
      texts('t', [2, 2], 'a', 'bb', '', 'd'),
    ];
    expect(answer(outputs, SPEC, true)).toEqual([
      { y: [[1], [2]], z: 5, t: ['a', 'bb'] },
      { y: [[3], [4]], z: 6, t: ['', 'd'] },
    ]);
    expect(answer([floats('z', [1, 1], 5)], SPEC, true)).toEqual([{ z: 5 }]);
  });

  it('keeps the brackets of a row of any size that has one element', () => {
    const spec = modelSpec({ outputs: [tensorSpec('y', 'FP32', [-1])] });
    expect(answer([floats('y', [1, 1], 5)], spec)).toEqual({ y: [5] });
  });

  it('is the whole tensors of a model without a batch axis', () => {
    const spec = modelSpec({ maxBatchSize: 0, outputs: [tensorSpec('y', 'FP32', [2])] });
    expect(answer([floats('y', [2], 5, 6)], spec)).toEqual({ y: [5, 6] });
  });

  it('leaves away the name where the config says so', () => {
    const spec = modelSpec({ outputs: SPEC.outputs, plainAnswer: { outputs: ['z'], top: {}, bare: true } });
    expect(answer([floats('z', [1, 1], 3)], spec)).toBe(3);
    expect(answer([floats('z', [2, 1], 3, 4)], spec, true)).toEqual([3, 4]);
  });

  it('has the highest values with their labels in place of all', () => {
    const outputs = [tensorSpec('y', 'FP32', [3], { labels: ['a', 'b'] })];
    const spec = modelSpec({ outputs, plainAnswer: { outputs: [], top: { y: 2 }, bare: false } });
    expect(answer([floats('y', [2, 3], 0.25, 0.5, 0.125, 1, 2, 3)], spec, true)).toEqual([
      {
        y: [
          { label: 'b', index: 1, value: 0.5 },
          { label: 'a', index: 0, value: 0.25 },
        ],
      },
      {
        y: [
          { index: 2, value: 3 },
          { label: 'b', index: 1, value: 2 },
        ],
      },
    ]);
  });

  it('writes halves as the numbers they are', () => {
    const half = {
      name: 'z',
      dataType: 'FP16',
      shape: [1, 1],
      data: new Uint8Array(Uint16Array.of(numberToHalf(1.5)).buffer),
    } as const;
    expect(answer([half], SPEC)).toEqual({ z: 1.5 });
  });

  it('refuses what is no JSON unless that is allowed', () => {
    const outputs = [floats('z', [2, 1], 1, Number.NaN)];
    expect(() => answer(outputs, SPEC, true)).toThrow('output "z": element 0 is NaN, which JSON cannot carry');
    expect(answer(outputs, SPEC, true, true)).toBe('[{"z":1.0},{"z":NaN}]');
  });

  it('refuses outputs that have not a row for each', () => {
    expect(() => answer([floats('z', [2, 1], 1, 2), floats('y', [1, 2, 1], 1, 2)], SPEC, true)).toThrow(
      'has not a row for each of 2',
    );
  });
});

describe('the highest values', () => {
  it('are those that sorting gives', () => {
    const values = fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN)), { maxLength: 20 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 6 }), (all, most) => {
        const rank = (value: number) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);
        const sorted = all
          .map((_, index) => index)
          .sort((a, b) => rank(all[b] as number) - rank(all[a] as number) || a - b);
        expect(highest(Float64Array.from(all), most)).toEqual(sorted.slice(0, most));
      }),
    );
  });
});
