import { describe, expect, it } from 'vitest';
import { type ModelConfig, parseModelConfig } from '../../config/index.js';
import type { CompletedTensors } from './config-parts.js';
import { shapePolicyOf } from './shape-policy.js';

const TENSORS: CompletedTensors = {
  maxBatchSize: 8,
  inputs: [
    { name: 'ids', data_type: 'TYPE_INT64', dims: [-1] },
    { name: 'pairs', data_type: 'TYPE_FP32', dims: [-1, -1, 4] },
    { name: 'texts', data_type: 'TYPE_STRING', dims: [-1] },
    { name: 'shaped', data_type: 'TYPE_FP32', dims: [-1], reshape: { shape: [-1, 1] } },
  ],
  outputs: [
    { name: 'states', data_type: 'TYPE_FP32', dims: [-1, 16] },
    { name: 'pooled', data_type: 'TYPE_FP32', dims: [16] },
  ],
  dynamicBatching: {},
};

const yaml = (text: string): ModelConfig => parseModelConfig(text, 'yaml', 'm/config.yaml').config;
const policy = (text: string, tensors = TENSORS) => shapePolicyOf(yaml(text), tensors);
const STATES = 'outputs: [{name: states, axis: 1}]';

describe('the shapes that a config allows', () => {
  it('are axes by tensor, values to pad with, classes and sizes', () => {
    const found = policy(`
padding:
  inputs: [{name: ids, axis: 1, value: 3}, {name: pairs, axis: 2, value: -10000}, {name: pairs, axis: 1}]
  ${STATES}
  classes: [16, 32]
  max_batch_tokens: 64
allowed_batch_sizes: [1, 4, 8]`);
    expect([...found.inputs]).toEqual([
      ['ids', { axes: [1], padValue: 3 }],
      ['pairs', { axes: [1, 2], padValue: -10000 }],
    ]);
    expect([...found.outputs]).toEqual([['states', { axes: [1], padValue: 0 }]]);
    expect(found.batching).toEqual({ lengthClasses: [16, 32], allowedBatchSizes: [1, 4, 8], maxBatchTokens: 64 });
  });

  it('are any where the config says nothing', () => {
    expect(policy('{}')).toEqual({ inputs: new Map(), outputs: new Map(), batching: {} });
  });

  it('leave alone an output that does not follow the length, where the config says so', () => {
    const stays = policy(
      'padding: {inputs: [{name: ids, axis: 1}], outputs: [{name: states, axis: 1, follows: false}]}',
    );
    expect(stays.outputs.size).toBe(0);
  });

  it.each([
    [
      'a name',
      `{name: idz, axis: 1}`,
      "padding.inputs[0].name: expected one of ids, pairs, texts, shaped, the inputs of the model, found 'idz', did you mean 'ids'?",
    ],
    [
      'an axis',
      `{name: ids, axis: 2}`,
      "padding.inputs[0].axis: expected an axis of 'ids', which has shape [-1,-1], found 2",
    ],
    [
      'a fixed axis',
      `{name: pairs, axis: 3}`,
      "padding.inputs[0].axis: expected an axis of any size (-1), found 4 at axis 3 of 'pairs' [-1,-1,-1,4]",
    ],
    [
      'a value',
      `{name: ids, axis: 1, value: 0.5}`,
      "padding.inputs[0].value: expected a value of TYPE_INT64, the data type of 'ids', found 0.5",
    ],
    [
      'strings',
      `{name: texts, axis: 1}`,
      "padding.inputs[0].name: expected a tensor of numbers, found strings in 'texts'",
    ],
    [
      'a reshape',
      `{name: shaped, axis: 1}`,
      "padding.inputs[0].name: expected a tensor without reshape, found one at 'shaped'",
    ],
    [
      'values that differ',
      `{name: pairs, axis: 1, value: 1}, {name: pairs, axis: 2, value: 2}`,
      "padding.inputs[1].value: expected 1 as for the other axis of 'pairs', found 2",
    ],
  ])('are refused for %s that cannot be', (_, inputs, message) => {
    expect(() => policy(`padding: {inputs: [${inputs}], ${STATES}}`)).toThrow(message);
  });

  it('are refused for an output that may follow the length and does not say', () => {
    expect(() => policy('padding: {inputs: [{name: ids, axis: 1}]}')).toThrow(
      'padding.outputs: expected {name: states, axis: 1}, with follows: false where its size does not depend on the length',
    );
  });

  it('are refused for a model that does not batch, and sizes that do not end with its largest', () => {
    const single = { ...TENSORS, maxBatchSize: 0 };
    expect(() => policy(`padding: {inputs: [{name: ids, axis: 1}], ${STATES}}`, single)).toThrow(
      'padding: expected a model that batches, found max_batch_size 0',
    );
    expect(() => policy('allowed_batch_sizes: [1, 4]')).toThrow(
      'allowed_batch_sizes: expected max_batch_size (8) as the last size, found 4',
    );
  });
});

describe('a config of shapes by itself', () => {
  it.each([
    ['allowed_batch_sizes: [1, 4, 4]', 'allowed_batch_sizes[2]: expected more than 4, the one before it, got 4'],
    [
      '{max_batch_size: 8, allowed_batch_sizes: [1, 4]}',
      'allowed_batch_sizes: the last size must be max_batch_size (8), got 4',
    ],
    ['padding: {inputs: [{name: a, axis: 1}], classes: [32, 16]}', 'padding.classes[1]: expected more than 32'],
    ['padding: {inputs: [{name: a, axis: 1}, {name: a, axis: 1}]}', "padding.inputs[1]: axis 1 of 'a' is given twice"],
    ['padding: {inputs: [{name: a, axis: 0}]}', 'padding.inputs[0].axis: expected an integer from 1'],
    ['padding: {inputs: []}', 'padding.inputs'],
    [
      '{allowed_batch_sizes: [1, 4], provider: {cuda_graph_batch_sizes: [1, 3]}}',
      'provider.cuda_graph_batch_sizes[1]: expected one of allowed_batch_sizes (1, 4), got 3',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => yaml(text)).toThrow(message);
  });

  it('is the same as parameters of a text format', () => {
    const parameter = (name: string, value: string) =>
      `parameters { key: "penstock.${name}" value { string_value: "${value}" } }\n`;
    const text =
      parameter('padding.inputs', 'ids:1=0, in:put:2=-1.5') +
      parameter('padding.outputs', 'states:1,boxes:1=stays') +
      parameter('padding.classes', '16,32') +
      parameter('allowed_batch_sizes', '1,2,4');
    expect(parseModelConfig(text, 'pbtxt', 'm/config.pbtxt').config).toMatchObject({
      padding: {
        inputs: [
          { name: 'ids', axis: 1, value: 0 },
          { name: 'in:put', axis: 2, value: -1.5 },
        ],
        outputs: [
          { name: 'states', axis: 1 },
          { name: 'boxes', axis: 1, follows: false },
        ],
        classes: [16, 32],
      },
      allowed_batch_sizes: [1, 2, 4],
    });
    expect(() => parseModelConfig(parameter('padding.inputs', 'ids=0'), 'pbtxt', 'm/config.pbtxt')).toThrow(
      'padding.inputs[0]',
    );
    expect(() => parseModelConfig(parameter('padding.inputs', 'ids:1=x'), 'pbtxt', 'm/config.pbtxt')).toThrow(
      'padding.inputs[0].value',
    );
  });
});
