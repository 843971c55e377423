import { describe, expect, it } from 'vitest';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import type { EnsembleStep, ModelSpec, TensorSpec } from '../../core/index.js';
import { planEnsemble } from './ensemble-plan.js';

const step = (
  model: string,
  inputs: Record<string, string>,
  outputs: Record<string, string>,
  version?: number,
): EnsembleStep => ({
  model,
  version,
  inputs: new Map(Object.entries(inputs)),
  outputs: new Map(Object.entries(outputs)),
});

const model = (name: string, inputs: TensorSpec[], outputs: TensorSpec[], maxBatchSize = 4): ModelSpec =>
  modelSpec({ id: { model: name, version: 1 }, inputs, outputs, maxBatchSize, batching: policy({ maxBatchSize }) });

const x = tensorSpec('x', 'FP32', [2]);
const y = tensorSpec('y', 'FP32', [2]);
const MEMBERS = [
  model('a', [x], [y]),
  model('two', [x, tensorSpec('z', 'FP32', [2])], [y]),
  model('maybe', [x, tensorSpec('z', 'FP32', [2], { optional: true })], [y]),
  model('ints', [tensorSpec('x', 'INT32', [2])], [y]),
  model('wide', [tensorSpec('x', 'FP32', [3])], [y]),
  model('any', [tensorSpec('x', 'FP32', [-1])], [tensorSpec('y', 'FP32', [-1])]),
  model('small', [x], [y], 2),
  model('whole', [tensorSpec('x', 'FP32', [-1, 2])], [tensorSpec('y', 'FP32', [-1, 2])], 0),
  model('flat', [x], [y], 0),
  { ...model('many', [x], [y]), decoupled: true as const },
];
const specOf = (name: string, version: number | undefined) =>
  MEMBERS.find(({ id }) => id.model === name && (version === undefined || id.version === version));

const planned = (steps: EnsembleStep[], spec: Partial<ModelSpec> = {}) =>
  planEnsemble(
    modelSpec({
      id: { model: 'e', version: 1 },
      inputs: [tensorSpec('in', 'FP32', [2])],
      outputs: [tensorSpec('out', 'FP32', [2])],
      ...spec,
    }),
    steps,
    specOf,
  );

describe('an ensemble', () => {
  it('is planned by its tensors, in whatever order its steps stand', () => {
    const { graph } = planned([step('a', { x: 'mid' }, { y: 'out' }), step('a', { x: 'in' }, { y: 'mid' })]);
    expect(graph.tensors).toEqual([
      { name: 'in', from: -1, takers: [1] },
      { name: 'out', from: 0, takers: [] },
      { name: 'mid', from: 1, takers: [0] },
    ]);
  });

  it.each<[string, EnsembleStep[], RegExp]>([
    ['no steps', [], /must specify 'step'/],
    ['a step without a model', [step('', { x: 'in' }, { y: 'out' })], /must specify 'model_name' in step 0/],
    ['a step that takes nothing', [step('a', {}, { y: 'out' })], /step 0 \(model 'a'\): must specify 'input_map'/],
    ['a step that gives nothing', [step('a', { x: 'in' }, {})], /step 0 \(model 'a'\): must specify 'output_map'/],
    [
      'a tensor given twice',
      [step('a', { x: 'in' }, { y: 'out' }), step('any', { x: 'in' }, { y: 'out' })],
      /step 1 \(model 'any'\): tensor 'out' can appear in an output map only once, and step 0 gives it too/,
    ],
    ['an input that is given', [step('a', { x: 'in' }, { y: 'in' })], /and is an input of the ensemble/],
    [
      'a tensor from nowhere',
      [step('a', { x: 'in' }, { y: 'out' }), step('two', { x: 'in', z: 'ghost' }, { y: 'more' })],
      /step 1 \(model 'two'\): input 'z' takes tensor 'ghost', which no step gives/,
    ],
    [
      'steps that wait for each other',
      [
        step('a', { x: 'in' }, { y: 'out' }),
        step('two', { x: 'in', z: 'q' }, { y: 'p' }),
        step('a', { x: 'p' }, { y: 'q' }),
      ],
      /step 1 \(model 'two'\): tensor 'q' is never given, as these steps wait for each other: step 1 \(model 'two'\), step 2 \(model 'a'\)/,
    ],
    ['an output that nobody gives', [step('a', { x: 'in' }, { y: 'mid' })], /output 'out' is given by no step/],
    [
      'a model that does not serve',
      [step('ghost', { x: 'in' }, { y: 'out' })],
      /step 0 \(model 'ghost'\): the model does not/,
    ],
    ['a version that does not serve', [step('a', { x: 'in' }, { y: 'out' }, 7)], /step 0 \(model 'a'\): version 7 of/],
    [
      'an input that is not mapped',
      [step('two', { x: 'in' }, { y: 'out' })],
      /step 0 \(model 'two'\): input 'z' of the model/,
    ],
    [
      'an input that is unknown',
      [step('a', { x: 'in', w: 'in' }, { y: 'out' })],
      /the model has no input 'w'; it has: 'x'/,
    ],
    ['a decoupled model', [step('many', { x: 'in' }, { y: 'out' })], /step 0 \(model 'many'\): the model is decoupled/],
    ['an output that is unknown', [step('a', { x: 'in' }, { v: 'out' })], /the model has no output 'v'; it has: 'y'/],
    [
      'data types that differ',
      [step('ints', { x: 'in' }, { y: 'out' })],
      /step 0 \(model 'ints'\): tensor 'in': inconsistent data type, FP32 in the ensemble, INT32 in model 'ints'/,
    ],
    [
      'shapes that differ between steps',
      [step('a', { x: 'in' }, { y: 'mid' }), step('wide', { x: 'mid' }, { y: 'out' })],
      /step 1 \(model 'wide'\): tensor 'mid': inconsistent shape, \[-1,2\] in model 'a', \[-1,3\] in model 'wide'/,
    ],
    [
      'a model of smaller batches',
      [step('small', { x: 'in' }, { y: 'out' })],
      /step 0 \(model 'small'\): the ensemble allows a batch size of up to 4 \(max_batch_size\), the model of up to 2/,
    ],
  ])('with %s is refused', (_, steps, message) => {
    expect(() => planned(steps)).toThrow(expect.objectContaining({ reason: 'MODEL_INVALID' }));
    expect(() => planned(steps)).toThrow(message);
  });

  it('with an input that no step uses is refused', () => {
    const inputs = [tensorSpec('in', 'FP32', [2]), tensorSpec('other', 'FP32', [2])];
    expect(() => planned([step('a', { x: 'in' }, { y: 'out' })], { inputs })).toThrow(
      /input 'other' is used by no step/,
    );
  });

  it.each<[string, EnsembleStep[]]>([
    ['an optional input left out', [step('maybe', { x: 'in' }, { y: 'out' })]],
    [
      'variable dims between fixed ones',
      [step('any', { x: 'in' }, { y: 'mid' }), step('a', { x: 'mid' }, { y: 'out' })],
    ],
    ['a model without a batch axis', [step('flat', { x: 'in' }, { y: 'out' })]],
    ['a model that has the batch in its own shape', [step('whole', { x: 'in' }, { y: 'out' })]],
  ])('with %s is taken', (_, steps) => {
    expect(planned(steps).forms).toHaveLength(steps.length);
  });
});
