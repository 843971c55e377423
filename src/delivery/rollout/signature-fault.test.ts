import { describe, expect, it } from 'vitest';
import type { ModelSpec, TensorSpec } from '../../core/index.js';
import { signatureFault } from './signature-fault.js';

const tensor = (name: string, dataType: TensorSpec['dataType'] = 'FP32', dims = [4], optional = false): TensorSpec => ({
  name,
  dataType,
  dims,
  modelDims: dims,
  optional,
  labels: undefined,
});

const spec = (version: number, inputs: TensorSpec[], outputs: TensorSpec[]) =>
  ({ id: { model: 'm', version }, inputs, outputs }) as unknown as ModelSpec;

const BASELINE = spec(3, [tensor('x'), tensor('mask', 'INT64', [4], true)], [tensor('y')]);

describe('whether a candidate takes what the baseline takes', () => {
  it.each<[string, TensorSpec[], TensorSpec[], string | undefined]>([
    ['the same', [tensor('x'), tensor('mask', 'INT64', [4], true)], [tensor('y')], undefined],
    [
      'wider dims, one more optional input, one more output',
      [tensor('x', 'FP32', [-1]), tensor('mask', 'INT64', [4], true), tensor('z', 'FP32', [1], true)],
      [tensor('y'), tensor('more')],
      undefined,
    ],
    [
      'one more input',
      [tensor('x'), tensor('mask', 'INT64', [4], true), tensor('z')],
      [tensor('y')],
      "needs the input 'z', which version 3 has not",
    ],
    [
      'an input that was optional',
      [tensor('x'), tensor('mask', 'INT64')],
      [tensor('y')],
      "needs the input 'mask', which requests for version 3 may leave out",
    ],
    ['one input less', [tensor('x')], [tensor('y')], "has no input 'mask', which version 3 takes"],
    [
      'another data type',
      [tensor('x', 'FP64'), tensor('mask', 'INT64', [4], true)],
      [tensor('y')],
      "input 'x' is FP64, not FP32",
    ],
    [
      'narrower dims',
      [tensor('x', 'FP32', [5]), tensor('mask', 'INT64', [4], true)],
      [tensor('y')],
      "input 'x' has dims [5], not [4]",
    ],
    [
      'no output of that name',
      [tensor('x'), tensor('mask', 'INT64', [4], true)],
      [tensor('z')],
      "has no output 'y', which version 3 gives",
    ],
    [
      'an output of another type',
      [tensor('x'), tensor('mask', 'INT64', [4], true)],
      [tensor('y', 'INT64')],
      "output 'y' is INT64, not FP32",
    ],
  ])('%s', (_, inputs, outputs, fault) => {
    expect(signatureFault(BASELINE, spec(4, inputs, outputs))).toBe(fault);
  });
});
