import { describe, expect, it } from 'vitest';
import { signatureTensor as t } from '../../../test/support/fake-backend.js';
import type { ModelConfig } from '../../config/index.js';
import type { ModelSignature } from '../../core/index.js';
import { completeTensors } from './complete-tensors.js';

type Tensors = ModelSignature['inputs'];

const model = (inputs: Tensors, outputs: Tensors): ModelSignature => ({ inputs, outputs });
const BATCHED = model([t('x', 'FP32', [-1, 3])], [t('y', 'INT64', [-1, 2])]);
const FIXED = model([t('x', 'FP32', [1, 3])], [t('y', 'INT64', [1, 2])]);
const complete = (config: ModelConfig, signature: ModelSignature, defaultSize = 4) =>
  completeTensors(config, signature, defaultSize);

describe('completion of a config from the model', () => {
  const sizes: [string, ModelConfig, ModelSignature, number, boolean][] = [
    ['first dimension free everywhere', {}, BATCHED, 4, true],
    ['a fixed first dimension', {}, FIXED, 0, false],
    ['one output fixed', {}, model([t('x', 'FP32', [-1, 3])], [t('y', 'FP32', [2])]), 0, false],
    ['one output a scalar', {}, model([t('x', 'FP32', [-1, 3])], [t('y', 'FP32', [])]), 0, false],
    ['one input fixed', {}, model([t('x', 'FP32', [-1]), t('k', 'INT64', [1])], [t('y', 'FP32', [-1])]), 0, false],
    ['no input at all', {}, model([], [t('y', 'FP32', [-1])]), 0, false],
    [
      'an optional input that is fixed',
      {},
      model([t('x', 'FP32', [-1]), t('w', 'FP32', [3], { optional: true })], [t('y', 'FP32', [-1])]),
      4,
      true,
    ],
    ['an explicit 0', { max_batch_size: 0 }, BATCHED, 0, false],
    ['an explicit 1', { max_batch_size: 1 }, BATCHED, 1, false],
    ['an explicit 16', { max_batch_size: 16 }, BATCHED, 16, true],
    [
      'dynamic batching given',
      { max_batch_size: 8, dynamic_batching: { max_queue_delay_microseconds: 5 } },
      BATCHED,
      8,
      true,
    ],
    ['inputs only', { input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }] }, BATCHED, 4, true],
    ['an output by name only', { output: [{ name: 'y', label_filename: 'labels.txt' }] }, BATCHED, 4, true],
    [
      'inputs and outputs in full: nothing is completed',
      {
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 3] }],
        output: [{ name: 'y', data_type: 'TYPE_INT64', dims: [-1, 2] }],
      },
      BATCHED,
      0,
      false,
    ],
    [
      'inputs and outputs in full with a batch size: no dynamic batching unasked',
      {
        max_batch_size: 8,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
        output: [{ name: 'y', data_type: 'TYPE_INT64', dims: [2] }],
      },
      BATCHED,
      8,
      false,
    ],
  ];
  it.each(sizes)('max_batch_size with %s', (_case, config, signature, size, dynamic) => {
    const completed = complete(config, signature);
    expect(completed.maxBatchSize).toBe(size);
    expect(completed.dynamicBatching !== undefined).toBe(dynamic);
  });

  it('takes the default size of the server, and no dynamic batching where it is 1', () => {
    expect(complete({}, BATCHED, 32)).toMatchObject({ maxBatchSize: 32, dynamicBatching: {} });
    expect(complete({}, BATCHED, 1)).toMatchObject({ maxBatchSize: 1, dynamicBatching: undefined });
    expect(complete({}, BATCHED, 0)).toMatchObject({ maxBatchSize: 0, inputs: [{ dims: [-1, 3] }] });
  });

  it('leaves the batch axis out of dims where the model batches, and only there', () => {
    expect(complete({}, BATCHED)).toMatchObject({
      inputs: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
      outputs: [{ name: 'y', data_type: 'TYPE_INT64', dims: [2] }],
    });
    expect(complete({}, FIXED)).toMatchObject({ inputs: [{ dims: [1, 3] }], outputs: [{ dims: [1, 2] }] });
  });

  it('shows one value a row as [1] with an empty reshape, as Triton does', () => {
    const completed = complete({}, model([t('x', 'FP32', [-1, 3])], [t('label', 'INT64', [-1])]));
    expect(completed.outputs).toMatchObject([{ dims: [1], reshape: { shape: [] } }]);
  });

  it('serves scalars of a model without batches as they are', () => {
    const completed = complete({}, model([t('x', 'FP32', [])], [t('y', 'FP32', [])]));
    expect(completed).toMatchObject({ maxBatchSize: 0, inputs: [{ dims: [] }], outputs: [{ dims: [] }] });
  });

  it('does not show optional inputs that the config does not name', () => {
    const signature = model(
      [t('x', 'FP32', [-1, 3]), t('w', 'FP32', [3], { optional: true })],
      [t('y', 'FP32', [-1, 2])],
    );
    expect(complete({}, signature).inputs.map((input) => input.name)).toEqual(['x']);
    const named = complete({ max_batch_size: 0, input: [{ name: 'x' }, { name: 'w', optional: true }] }, signature);
    expect(named.inputs).toMatchObject([{ name: 'x' }, { name: 'w', dims: [3], optional: true }]);
  });

  it('takes an initializer that may be overridden as an optional input where the config names it', () => {
    const signature = {
      ...model([t('x', 'FP32', [-1, 3])], [t('y', 'FP32', [-1, 3])]),
      overridable: [t('bias', 'FP32', [3], { optional: true })],
    };
    expect(complete({}, signature).inputs.map((input) => input.name)).toEqual(['x']);
    const named = complete({ max_batch_size: 0, input: [{ name: 'x' }, { name: 'bias', optional: true }] }, signature);
    expect(named.inputs).toMatchObject([{ name: 'x' }, { name: 'bias', dims: [3], optional: true }]);
  });

  it('lets a config narrow a free axis of an input and name fewer outputs', () => {
    const signature = model([t('x', 'FP32', [-1, -1, 3])], [t('a', 'FP32', [-1, 2]), t('b', 'FP32', [-1, 2])]);
    const completed = complete({ input: [{ name: 'x', dims: [7, 3] }], output: [{ name: 'b' }] }, signature);
    expect(completed).toMatchObject({
      maxBatchSize: 4,
      inputs: [{ dims: [7, 3] }],
      outputs: [{ name: 'b', dims: [2] }],
    });
  });

  it('takes [1] for a scalar, as configs for Triton have to say it', () => {
    const scalar = model([t('x', 'FP32', [])], [t('y', 'FP32', [])]);
    const config: ModelConfig = {
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [1] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [1] }],
    };
    expect(complete(config, scalar)).toMatchObject({ inputs: [{ dims: [1] }], outputs: [{ dims: [1] }] });
  });

  it('leaves out an output that is no tensor where the config asks for others', () => {
    const signature = model(
      [t('x', 'FP32', [-1, 3])],
      [
        t('label', 'INT64', [-1]),
        t('probabilities', undefined, undefined, { foreignType: 'sequence(map(int64,float))' }),
      ],
    );
    expect(complete({ output: [{ name: 'label' }] }, signature)).toMatchObject({ maxBatchSize: 4 });
    expect(() => complete({}, signature)).toThrow(
      "output 'probabilities' has the type sequence(map(int64,float)), which the protocol cannot carry",
    );
  });

  it('needs the config of a model that tells nothing of itself', () => {
    const untold = model([], []);
    expect(() => complete({}, untold)).toThrow('the model does not tell its inputs: the config must declare them');
    const config: ModelConfig = {
      input: [{ name: 'x', dims: [3] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [2] }],
    };
    expect(() => complete(config, untold)).toThrow("input 'x': the config must give its data_type");
    config.input = [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }];
    expect(complete({ ...config, max_batch_size: 8 }, untold)).toMatchObject({
      maxBatchSize: 8,
      inputs: [{ dims: [3] }],
    });
  });

  it('refuses a config that is not whole where completion is off', () => {
    expect(() => completeTensors({}, BATCHED, 4, false)).toThrow('auto-completion is off');
  });

  const wrong: [string, ModelConfig, ModelSignature, string][] = [
    ['an unknown input', { input: [{ name: 'z' }] }, BATCHED, "unexpected input 'z', the model has: x"],
    ['an unknown output', { output: [{ name: 'z' }] }, BATCHED, "unexpected output 'z', the model has: y"],
    [
      'a missing input',
      { input: [{ name: 'x' }] },
      model([t('x', 'FP32', [-1]), t('k', 'FP32', [-1])], BATCHED.outputs),
      "the config has 1 inputs, the model needs 2; missing: 'k'",
    ],
    [
      'another data type',
      { input: [{ name: 'x', data_type: 'TYPE_FP16' }] },
      BATCHED,
      "input 'x': the config expects data type TYPE_FP16, the model has TYPE_FP32",
    ],
    [
      'another rank',
      { input: [{ name: 'x', dims: [3, 3] }] },
      BATCHED,
      "input 'x': the model has 2 dimensions (shape [-1,3]) but the config gives 3 (shape [-1,3,3]",
    ],
    ['another fixed dimension', { input: [{ name: 'x', dims: [4] }] }, BATCHED, 'the config gives 2 (shape [-1,4]'],
    [
      'a free dimension where the model has a fixed one',
      { input: [{ name: 'x', dims: [-1] }] },
      BATCHED,
      'shape [-1,-1]',
    ],
    [
      'an output narrower than the model gives it',
      { output: [{ name: 'y', dims: [2] }] },
      model([t('x', 'FP32', [-1])], [t('y', 'FP32', [-1, -1])]),
      "output 'y': the model has 2 dimensions (shape [-1,-1]) but the config gives 2 (shape [-1,2]",
    ],
    [
      'a batch size the model cannot take',
      { max_batch_size: 8 },
      FIXED,
      "max_batch_size is 8 but the model does not support batching: 'x' has no first dimension of -1",
    ],
    [
      'a batch size that whole inputs and outputs do not bear out',
      {
        max_batch_size: 8,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
        output: [{ name: 'y', data_type: 'TYPE_INT64', dims: [2] }],
      },
      FIXED,
      "input 'x': max_batch_size 8 needs a first dimension of -1 in the model, but the model has the shape [1,3]",
    ],
    [
      'an optional input that the model needs',
      { input: [{ name: 'x', optional: true }] },
      BATCHED,
      "input 'x' is optional in the config, but the model needs it",
    ],
    [
      'a type without a name',
      {},
      model([t('x', undefined, [-1], { foreignType: 'complex64' })], BATCHED.outputs),
      "input 'x' has the type complex64, which the protocol cannot carry",
    ],
    [
      'a shape nobody knows',
      {},
      model([t('x', 'FP32', undefined)], BATCHED.outputs),
      "input 'x' has no shape in the model file",
    ],
    [
      'a reshape that loses elements',
      { input: [{ name: 'x', dims: [2, 2], reshape: { shape: [3] } }] },
      BATCHED,
      "input 'x': reshape [3] does not hold the elements of dims [2,2]",
    ],
    [
      'a reshape without dims',
      { input: [{ name: 'x', reshape: { shape: [3] } }] },
      BATCHED,
      "input 'x': a reshape needs dims beside it",
    ],
    [
      'a scalar given as more than one value',
      { input: [{ name: 'x', dims: [2] }], output: [{ name: 'y' }] },
      model([t('x', 'FP32', [])], [t('y', 'FP32', [])]),
      "input 'x': the model has 0 dimensions (shape []) but the config gives 1 (shape [2])",
    ],
  ];
  it.each(wrong)('refuses %s', (_case, config, signature, message) => {
    expect(() => complete(config, signature)).toThrow(expect.objectContaining({ reason: 'MODEL_INVALID' }));
    expect(() => complete(config, signature)).toThrow(message);
  });

  const reshapes: [readonly number[], readonly number[], boolean][] = [
    [[1, 3], [3], true],
    [[2, 4, -1, 6], [8, -1, 1, 6], true],
    [[2, 4, -1, 6], [4, -1, 12], false],
    [[-1], [-1, 1], true],
    [[-1, -1], [-1], false],
    [[1], [], true],
    [[2], [], false],
  ];
  it.each(reshapes)('reshape %j to %j fits: %s', (dims, shape, fits) => {
    const signature = model([t('x', 'FP32', [-1, ...shape])], [t('y', 'FP32', [-1, 2])]);
    const config: ModelConfig = { input: [{ name: 'x', dims: [...dims], reshape: { shape: [...shape] } }] };
    if (fits) expect(complete(config, signature).inputs[0]).toMatchObject({ dims, reshape: { shape } });
    else expect(() => complete(config, signature)).toThrow('reshape');
  });
});
