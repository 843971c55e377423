import { describe, expect, it } from 'vitest';
import { fp32, modelSpec, request, tensorSpec } from '../../../test/support/specs.js';
import type { InferenceRequest, ModelSpec, ServingError } from '../../core/index.js';
import { Admission } from './index.js';

const two = { inputs: [tensorSpec('a', 'FP32', [2]), tensorSpec('b', 'FP32', [-1], { optional: true })] };

/** Spec changes, request changes, the reason, and what the message must name. */
const REFUSED: readonly [string, Partial<ModelSpec>, Partial<InferenceRequest>, string, RegExp][] = [
  ['an unknown input', {}, { inputs: [fp32('z', [1, 2])] }, 'UNKNOWN_INPUT', /'z'.*it has: 'x'/],
  [
    'an input given twice',
    {},
    { inputs: [fp32('x', [1, 2]), fp32('x', [1, 2])] },
    'MALFORMED_REQUEST',
    /'x' is given twice/,
  ],
  ['a missing input', {}, { inputs: [] }, 'MISSING_INPUT', /expected 1 inputs, got 0; missing: 'x'/],
  [
    'another data type',
    {},
    { inputs: [{ ...fp32('x', [1, 2]), dataType: 'INT32' }] },
    'DATA_TYPE_MISMATCH',
    /'x': expected data type FP32, got INT32/,
  ],
  [
    'another dimension',
    {},
    { inputs: [fp32('x', [1, 3])] },
    'SHAPE_MISMATCH',
    /'x': expected shape \[-1,2\], got \[1,3\]/,
  ],
  ['a missing batch axis', {}, { inputs: [fp32('x', [2])] }, 'SHAPE_MISMATCH', /first axis is the batch/],
  ['a batch of none', {}, { inputs: [fp32('x', [0, 2])] }, 'SHAPE_MISMATCH', /from 1 to 4.*got 0/],
  ['a batch above the most', {}, { inputs: [fp32('x', [5, 2])] }, 'SHAPE_MISMATCH', /from 1 to 4.*got 5/],
  [
    'batches that differ',
    two,
    { inputs: [fp32('a', [2, 2]), fp32('b', [3, 1])] },
    'SHAPE_MISMATCH',
    /'b': expected batch size 2 as input 'a' has, got 3/,
  ],
  ['an unknown output', {}, { outputs: [{ name: 'q', classification: 0 }] }, 'UNKNOWN_OUTPUT', /'q'.*it has: 'y'/],
  [
    'an output asked for twice',
    {},
    {
      outputs: [
        { name: 'y', classification: 0 },
        { name: 'y', classification: 1 },
      ],
    },
    'MALFORMED_REQUEST',
    /twice/,
  ],
  [
    'a raw body of a wrong size',
    {},
    { inputs: [], rawInput: new Uint8Array(7) },
    'SHAPE_MISMATCH',
    /expected 8 bytes, got 7/,
  ],
  [
    'a raw body for two inputs',
    two,
    { inputs: [], rawInput: new Uint8Array(8) },
    'MALFORMED_REQUEST',
    /exactly one input/,
  ],
];

describe('admission', () => {
  it.each(REFUSED)('refuses %s', (_, spec, changes, reason, message) => {
    const admission = new Admission(modelSpec(spec));
    try {
      admission.admit(request(changes));
    } catch (thrown) {
      expect((thrown as ServingError).reason).toBe(reason);
      expect((thrown as ServingError).message).toMatch(message);
      return;
    }
    throw new Error('was admitted');
  });

  it('orders inputs as the spec has them and leaves absent optional ones out', () => {
    const admission = new Admission(modelSpec(two));
    const both = admission.admit(request({ inputs: [fp32('b', [1, 3]), fp32('a', [1, 2])] }));
    expect(both.member.inputs.map((t) => t?.name)).toEqual(['a', 'b']);
    const one = admission.admit(request({ inputs: [fp32('a', [1, 2])] }));
    expect(one.member.inputs).toHaveLength(2);
    expect(one.member.inputs[1]).toBeUndefined();
    expect(one.batchKey.key).not.toBe(both.batchKey.key);
  });

  it('gives one key to requests that may share a batch, whatever their rows', () => {
    const admission = new Admission(modelSpec(two));
    const key = (rows: number, length: number) =>
      admission.admit(request({ inputs: [fp32('a', [rows, 2]), fp32('b', [rows, length])] })).batchKey.key;
    expect(key(1, 5)).toBe(key(3, 5));
    expect(key(1, 5)).not.toBe(key(1, 6));
    expect(new Admission(modelSpec()).admit(request()).batchKey).toEqual({ key: '', length: 0 });
  });

  it('takes the shape of a raw body from the model', () => {
    const variable = new Admission(modelSpec({ inputs: [tensorSpec('x', 'FP32', [-1, 2])] }));
    expect(variable.admit(request({ inputs: [], rawInput: new Uint8Array(24) })).member.inputs[0]?.shape).toEqual([
      1, 3, 2,
    ]);
    const text = new Admission(modelSpec({ inputs: [tensorSpec('x', 'BYTES', [1])], maxBatchSize: 0 }));
    const tensor = text.admit(request({ inputs: [], rawInput: Uint8Array.of(65, 66) })).member.inputs[0];
    expect(tensor).toMatchObject({ shape: [1], data: Uint8Array.of(2, 0, 0, 0, 65, 66) });
  });

  it('admits scalars and empty tensors of a model without a batch axis', () => {
    const admission = new Admission(
      modelSpec({ maxBatchSize: 0, inputs: [tensorSpec('x', 'FP32', []), tensorSpec('e', 'FP32', [-1, 0])] }),
    );
    const admitted = admission.admit(request({ inputs: [fp32('x', [], [1]), fp32('e', [0, 0])] }));
    expect(admitted.member.rows).toBe(1);
  });
});
