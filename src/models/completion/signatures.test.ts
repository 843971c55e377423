import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../config/index.js';
import type { CompletedTensors } from './config-parts.js';
import { signaturesOf } from './signatures.js';

const TENSORS: CompletedTensors = {
  maxBatchSize: 8,
  inputs: [
    { name: 'x', data_type: 'TYPE_FP32', dims: [2] },
    { name: 'mask', data_type: 'TYPE_INT64', dims: [2], optional: true },
  ],
  outputs: [
    { name: 'probabilities', data_type: 'TYPE_FP32', dims: [3] },
    { name: 'value', data_type: 'TYPE_FP32', dims: [1] },
  ],
  dynamicBatching: undefined,
};

const declared = (text: string) =>
  signaturesOf(parseModelConfig(`signatures: ${text}`, 'yaml', 'm/config.yaml').config, TENSORS);

describe('signatures of a config', () => {
  it('are some of the inputs and outputs by other names, all by their own where it names none', () => {
    expect(
      declared('{ a: { method: classify, inputs: { image: x }, outputs: { scores: probabilities } }, b: {} }'),
    ).toEqual([
      { name: 'a', method: 'classify', inputs: { image: 'x' }, outputs: { scores: 'probabilities' } },
      {
        name: 'b',
        method: 'predict',
        inputs: { x: 'x', mask: 'mask' },
        outputs: { probabilities: 'probabilities', value: 'value' },
      },
    ]);
    expect(signaturesOf({}, TENSORS)).toBeUndefined();
  });

  it('stand in config.pbtxt as a parameter', () => {
    const text = `parameters { key: "penstock.signatures" value { string_value: '{"a": {"outputs": {"v": "value"}}}' } }`;
    const { config } = parseModelConfig(text, 'pbtxt', 'm/config.pbtxt');
    expect(signaturesOf(config, TENSORS)?.[0]?.outputs).toEqual({ v: 'value' });
  });

  it.each([
    ['{ a: { inputs: { image: y } } }', /signatures\.a\.inputs\.image: expected one of x, mask, .* found 'y'/],
    ['{ a: { outputs: { p: probabilitis } } }', /did you mean 'probabilities'/],
    ['{ a: { inputs: { m: mask } } }', /signatures\.a\.inputs: input 'x' lacks/],
    ['{ a: { outputs: { p: value, q: value } } }', /signatures\.a\.outputs\.q: 'value' is 'p' already/],
    ['{ a: { outputs: {} } }', /expected at least one/],
    ['{ a: { method: run } }', /expected one of predict, classify, regress/],
    ['{ a: { input: {} } }', /did you mean 'inputs'/],
  ])('are refused: %s', (text, why) => {
    expect(() => declared(text)).toThrow(why);
  });
});
