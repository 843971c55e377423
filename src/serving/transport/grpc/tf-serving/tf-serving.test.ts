import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  type Message,
  MODEL_SERVICE,
  PREDICTION,
  SESSION,
  startGrpcFixture,
} from '../../../../../test/support/grpc-server.js';
import { fp32, modelSpec, tensorSpec } from '../../../../../test/support/specs.js';
import { type ModelSpec, ServingError, typedView } from '../../../../core/index.js';
import { protoRoot } from '../../../codec/v2-grpc/proto-root.js';

let fixture: GrpcFixture;
const SPECS = [
  modelSpec(),
  modelSpec({ id: { model: 'm', version: 2 }, outputs: [tensorSpec('y', 'FP32', [2], { labels: ['no', 'yes'] })] }),
];
beforeEach(async () => {
  fixture = await startGrpcFixture({}, SPECS);
});
afterEach(() => fixture.stop());

const X = { dtype: 'DT_FLOAT', tensor_shape: { dim: [{ size: 1 }, { size: 2 }] }, float_val: [1.5, -2] };
const predict = (message: Message, options = {}) =>
  fixture.client.unary(
    'Predict',
    { model_spec: { name: 'm' }, inputs: { x: X }, ...message },
    { service: PREDICTION, ...options },
  );
const examples = (method: string, list: Message[], context?: Message) =>
  fixture.client.unary(
    method,
    {
      model_spec: { name: 'm' },
      input:
        context === undefined
          ? { example_list: { examples: list } }
          : { example_list_with_context: { examples: list, context } },
    },
    { service: PREDICTION },
  );
const floats = (...value: number[]) => ({ features: { feature: { x: { float_list: { value } } } } });
const model = (method: string, message: Message) => fixture.client.unary(method, message, { service: MODEL_SERVICE });
const metadata = (message: Message) => fixture.client.unary('GetModelMetadata', message, { service: PREDICTION });

describe('Predict', () => {
  it('answers through the one path, with elements in the fields of their types', async () => {
    const answer = await predict({});
    expect(answer.outputs.out_x).toMatchObject({ dtype: 'DT_FLOAT', float_val: [1.5, -2] });
    expect(answer.model_spec).toMatchObject({ name: 'm', version: { value: 1 } });
    const [request] = fixture.inference.requests;
    expect([request!.model, request!.version, request!.inputs[0]!.shape]).toEqual(['m', undefined, [1, 2]]);
  });

  it('goes to a version by number and by label', async () => {
    fixture.models.labels.canary = 2;
    await predict({ model_spec: { name: 'm', version: { value: 1 } } });
    await predict({ model_spec: { name: 'm', version_label: 'canary' } });
    expect(fixture.inference.requests.map(({ version }) => version)).toEqual([1, 2]);
    await expect(predict({ model_spec: { name: 'm', version_label: 'none' } })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it('waits for a label that another thread is asked for, and forgets who went away', async () => {
    await fixture.stop();
    const asked: { answer: (version: number) => void }[] = [];
    let told: () => void = () => {};
    const versionOf = () =>
      new Promise<number>((answer) => {
        asked.push({ answer });
        told();
      });
    const nextAsked = () =>
      new Promise<void>((resolve) => {
        told = resolve;
      });
    fixture = await startGrpcFixture({
      specs: { specOf: () => SPECS[0] as ModelSpec, versionOf, textModels: () => [] },
    });
    const message = { model_spec: { name: 'm', version_label: 'a' } };
    const first = nextAsked();
    await expect(predict(message, { deadlineMs: 50 })).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await first;
    const second = nextAsked();
    const inTime = predict(message);
    await second;
    asked[1]?.answer(1);
    expect((await inTime).outputs.out_x.float_val).toEqual([1.5, -2]);
    // Settled, though its label was never told.
    await fixture.server.close();
    asked[0]?.answer(1);
    expect(fixture.inference.requests).toHaveLength(1);
  });

  it('hands on what the path refuses, with its reason', async () => {
    fixture.inference.failure = new ServingError('QUEUE_FULL', 'full');
    await expect(predict({})).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'full' });
  });

  it.each([
    [{ model_spec: null }, status.INVALID_ARGUMENT, /no model_spec/],
    [{ inputs: { x: { ...X, dtype: 'DT_QINT8' } } }, status.INVALID_ARGUMENT, /input "x": its dtype 11/],
    [{ inputs: { x: { ...X, float_val: [1, 2, 3] } } }, status.INVALID_ARGUMENT, /2 elements, more came/],
    [
      { model_spec: { name: 'm', signature_name: 'x' } },
      status.FAILED_PRECONDITION,
      /^Serving signature key "x" not found\.$/,
    ],
  ])('refuses %j', async (message, code, details) => {
    await expect(predict(message)).rejects.toMatchObject({ code, details: expect.stringMatching(details) });
    expect(await predict({})).toBeDefined();
  });
});

describe('Classify and Regress', () => {
  it('classify with the labels of the model', async () => {
    fixture.inference.outputs = [fp32('y', [2, 2], [0.25, 0.75, 1, 0])];
    const { result, model_spec } = await examples('Classify', [floats(1, 2), floats(3, 4)]);
    expect(result.classifications.map(({ classes }: Message) => classes)).toEqual([
      [
        { label: 'no', score: 0.25 },
        { label: 'yes', score: 0.75 },
      ],
      [
        { label: 'no', score: 1 },
        { label: 'yes', score: 0 },
      ],
    ]);
    expect(model_spec.name).toBe('m');
    const [request] = fixture.inference.requests;
    expect([request!.inputs[0]!.shape, [...typedView('FP32', request!.inputs[0]!.data)]]).toEqual([
      [2, 2],
      [1, 2, 3, 4],
    ]);
  });

  it('regress examples that share a context, and take integers for floats', async () => {
    fixture.inference.outputs = [fp32('y', [2, 1], [1.5, -2])];
    const integers = { features: { feature: { x: { int64_list: { value: [5, -6] } } } } };
    const { result } = await examples('Regress', [{}, floats(3, 4)], integers);
    expect(result.regressions).toEqual([{ value: 1.5 }, { value: -2 }]);
    expect([...typedView('FP32', fixture.inference.requests[0]!.inputs[0]!.data)]).toEqual([5, -6, 3, 4]);
  });

  it.each([
    [[], /no examples/],
    [[{}], /example 0 has no input "x"/],
    [[floats(1, 2), floats(1)], /example 1 has 1 values, those before it 2/],
    [
      [{ features: { feature: { x: { bytes_list: { value: [Buffer.from('a')] } } } } }],
      /input "x": FP32 does not come of a bytes_list/,
    ],
  ])('refuse %j', async (list, details) => {
    for (const method of ['Classify', 'Regress'])
      await expect(examples(method, list)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: expect.stringMatching(details),
      });
  });

  it('say which output lacks', async () => {
    fixture.inference.outputs = [fp32('a', [1, 2]), fp32('b', [1, 2])];
    await expect(examples('Classify', [floats(1, 2)])).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringContaining('classify needs an output "scores"'),
    });
  });
});

describe('MultiInference', () => {
  const task = (method: string, spec: Message = {}) => ({
    model_spec: { name: 'm', ...spec },
    method_name: `tensorflow/serving/${method}`,
  });
  const multi = (tasks: Message[], list = [floats(1, 2), floats(3, 4)]) =>
    fixture.client.unary(
      'MultiInference',
      { tasks, input: { example_list: { examples: list } } },
      { service: PREDICTION },
    );

  it('answers each of its tasks, by one run of the model', async () => {
    fixture.inference.outputs = [fp32('outputs', [2], [1.5, -2]), fp32('y', [2, 2], [0.25, 0.75, 1, 0])];
    const { results } = await multi([task('regress'), task('classify')]);
    expect(results[0].regression_result.regressions).toEqual([{ value: 1.5 }, { value: -2 }]);
    expect(results[1].classification_result.classifications[0].classes).toEqual([
      { label: 'no', score: 0.25 },
      { label: 'yes', score: 0.75 },
    ]);
    expect(results.map(({ model_spec }: Message) => model_spec.name)).toEqual(['m', 'm']);
    const [request, ...others] = fixture.inference.requests;
    expect([request!.inputs[0]!.shape, others]).toEqual([[2, 2], []]);
  });

  it.each([
    [[], status.INVALID_ARGUMENT, /no tasks/],
    [[{ method_name: 'tensorflow/serving/classify' }], status.INVALID_ARGUMENT, /no model_spec/],
    [[task('classify'), task('regress', { name: 'other' })], status.INVALID_ARGUMENT, /access the same model name/],
    [[task('classify'), task('classify')], status.INVALID_ARGUMENT, /Duplicate evaluation of signature/],
    [[task('classify'), task('regress', { version: { value: 1 } })], status.INVALID_ARGUMENT, /different versions/],
    [[task('predict')], status.UNIMPLEMENTED, /Unsupported signature method_name: "tensorflow\/serving\/predict"/],
    [[task('classify', { name: 'no' })], status.NOT_FOUND, /no model/],
    [Array.from({ length: 65 }, () => task('regress')), status.INVALID_ARGUMENT, /more than 64 tasks/],
  ])('refuses the tasks %#', async (tasks, code, details) => {
    await expect(multi(tasks)).rejects.toMatchObject({ code, details: expect.stringMatching(details) });
    expect(fixture.inference.requests).toEqual([]);
  });

  it('refuses no examples, and what the model cannot say', async () => {
    await expect(multi([task('classify')], [])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    fixture.inference.outputs = [fp32('a', [1, 3])];
    await expect(multi([task('classify'), task('regress')], [floats(1, 2)])).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});

describe('models as TensorFlow Serving tells of them', () => {
  it('have one signature', async () => {
    const answer = await metadata({ model_spec: { name: 'm' }, metadata_field: ['signature_def'] });
    expect(answer.model_spec.version.value).toBe(2);
    const { type_url, value } = answer.metadata.signature_def;
    expect(type_url).toBe('type.googleapis.com/tensorflow.serving.SignatureDefMap');
    const type = protoRoot().lookupType('tensorflow.serving.SignatureDefMap');
    const { signature_def } = type.toObject(type.decode(value), { enums: String, longs: Number });
    expect(signature_def.serving_default.inputs.x).toEqual({
      name: 'x',
      dtype: 'DT_FLOAT',
      tensor_shape: { dim: [{ size: -1 }, { size: 2 }] },
    });
    await expect(metadata({ model_spec: { name: 'm' } })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(metadata({ model_spec: { name: 'no' }, metadata_field: ['signature_def'] })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(metadata({ model_spec: { name: 'm' }, metadata_field: ['x'] })).rejects.toMatchObject({
      details: expect.stringContaining('expected "signature_def"'),
    });
  });

  it('stand as they stand, the newest version first', async () => {
    const { model_version_status } = await model('GetModelStatus', { model_spec: { name: 'm' } });
    expect(model_version_status).toEqual(
      [2, 1].map((version) => ({ version, state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } })),
    );
    fixture.models.labels.stable = 1;
    const labelled = await model('GetModelStatus', { model_spec: { name: 'm', version_label: 'stable' } });
    expect(labelled.model_version_status.map(({ version }: Message) => version)).toEqual([1]);
    await expect(model('GetModelStatus', { model_spec: { name: 'no' } })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(model('GetModelStatus', {})).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  const reload = (config: Message[]) =>
    model('HandleReloadConfigRequest', { config: { model_config_list: { config } } });

  it('are loaded and unloaded by a list of them', async () => {
    expect(await reload([{ name: 'new', base_path: '/models/new/' }])).toMatchObject({ status: { error_code: 'OK' } });
    expect(fixture.models.calls).toMatchObject({ load: [['new', {}]], unload: [['m', false]] });
  });

  it.each([
    [{ config: null }, status.INVALID_ARGUMENT, /no model_config_list/],
    [{ config: { custom_model_config: {} } }, status.INVALID_ARGUMENT, /no model_config_list/],
    [{ metric_names: ['a'] }, status.UNIMPLEMENTED, /metric_names/],
  ])('are not changed by %j', async (message, code, details) => {
    await expect(model('HandleReloadConfigRequest', message)).rejects.toMatchObject({
      code,
      details: expect.stringMatching(details),
    });
    expect(fixture.models.calls.unload).toEqual([]);
  });

  it.each([
    [{ name: 'new', base_path: '/models/other' }, /base_path ends in "other"/],
    [{ name: 'new', logging_config: {} }, /logging_config/],
    [{ name: '../new' }, /the model name/],
  ])('are not changed by the config %j', async (config, details) => {
    await expect(reload([{ name: 'm' }, config])).rejects.toMatchObject({ details: expect.stringMatching(details) });
    await expect(reload([{ name: 'm' }, { name: 'm' }])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(fixture.models.calls).toEqual({ load: [], unload: [] });
  });

  it('are loaded by the version policy of the list, and get its labels', async () => {
    const versions = [
      [{ name: 'a', model_version_policy: { latest: { num_versions: 2 } } }, { latest: { num_versions: 2 } }],
      [{ name: 'b', model_version_policy: { latest: {} } }, { latest: { num_versions: 1 } }],
      [{ name: 'c', model_version_policy: {} }, { latest: { num_versions: 1 } }],
      [{ name: 'd', model_version_policy: { all: {} } }, { all: {} }],
      [{ name: 'm', model_version_policy: { specific: { versions: [1, 3] } } }, { specific: { versions: [1, 3] } }],
    ] as const;
    await reload([...versions.map(([config]) => config), { name: 'e', version_labels: { stable: 1, canary: 2 } }]);
    expect(fixture.models.calls.load).toEqual([
      ...versions.map(([{ name }, policy]) => [
        name,
        { config: undefined, files: new Map(), version: undefined, versionPolicy: JSON.stringify(policy) },
      ]),
      ['e', { config: undefined, files: new Map(), version: undefined }],
    ]);
    expect(fixture.models.labelsSet).toEqual({ e: { stable: 1, canary: 2 } });
    await reload([{ name: 'e' }]);
    expect(fixture.models.labelsSet).toEqual({ e: {} });
  });

  it('are not unloaded where a label cannot be set', async () => {
    const unavailable = new ServingError('FAILED_PRECONDITION', 'not available');
    fixture.models.setLabels = () => Promise.reject(unavailable);
    await expect(reload([{ name: 'new', version_labels: { a: 9 } }])).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'not available',
    });
    expect(fixture.models.calls.unload).toEqual([]);
  });

  it('run no graph by the names of its nodes', async () => {
    await expect(fixture.client.unary('SessionRun', {}, { service: SESSION })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringContaining('use Predict'),
    });
  });
});
