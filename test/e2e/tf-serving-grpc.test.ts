import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, type Message, MODEL_SERVICE, PREDICTION } from '../support/grpc-server.js';
import { exampleRepository, placeVersion, RunningGateway } from '../support/running-gateway.js';

let gateway: RunningGateway;
let client: GrpcClient;
const sample = JSON.parse(readFileSync(new URL('../../deploy/examples/samples/digit-3.json', import.meta.url), 'utf8'));
const THREE: readonly number[] = sample.inputs[0].data;

beforeAll(async () => {
  const models = exampleRepository();
  models.write('digits/routes.yaml', 'labels: { stable: 1, canary: 2 }\n');
  gateway = await RunningGateway.start(models, [
    '--model-control-mode=explicit',
    '--load-model=digits',
    '--load-model=digit-image',
  ]);
  client = new GrpcClient(gateway.grpcPort);
});
afterAll(async () => {
  client?.close();
  await gateway?.stop();
});

const predict = (message: Message) => client.unary('Predict', message, { service: PREDICTION });
const model = (method: string, message: Message) => client.unary(method, message, { service: MODEL_SERVICE });
const pixels = (rows: number, changes: Message = {}) => ({
  dtype: 'DT_FLOAT',
  tensor_shape: { dim: [{ size: rows }, { size: 64 }] },
  float_val: Array.from({ length: rows }, () => THREE).flat(),
  ...changes,
});

describe('TensorFlow Serving over gRPC', () => {
  it('predicts as V2 does', async () => {
    const { outputs, model_spec } = await predict({ model_spec: { name: 'digits' }, inputs: { pixels: pixels(2) } });
    expect([outputs.digit.int64_val, model_spec.version.value]).toEqual([[3, 3], 2]);
    const content = Buffer.from(Float32Array.from(THREE).buffer);
    const again = await predict({
      model_spec: { name: 'digits' },
      inputs: { pixels: pixels(1, { float_val: [], tensor_content: content }) },
      output_filter: ['probabilities'],
    });
    expect(Object.keys(again.outputs)).toEqual(['probabilities']);
    const v2 = (await gateway.post('/v2/models/digits/infer', sample)).json();
    const { data } = v2.outputs.find(({ name }: { name: string }) => name === 'probabilities');
    expect(again.outputs.probabilities.float_val.map(Math.fround)).toEqual(data.map(Math.fround));
  });

  it('goes by version and by label', async () => {
    const served = async (spec: Message) =>
      (await predict({ model_spec: { name: 'digits', ...spec }, inputs: { pixels: pixels(1) } })).model_spec.version
        .value;
    expect([await served({ version: { value: 1 } }), await served({ version_label: 'stable' })]).toEqual([1, 1]);
    expect(await served({ version_label: 'canary' })).toBe(2);
    await expect(served({ version_label: 'none' })).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(served({ version: { value: 9 } })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('classifies', async () => {
    const features = { feature: { pixels: { float_list: { value: THREE } } } };
    const { result } = await client.unary(
      'Classify',
      { model_spec: { name: 'digits' }, input: { example_list: { examples: [{ features }] } } },
      { service: PREDICTION },
    );
    const best = result.classifications[0].classes.reduce((a: Message, b: Message) => (b.score > a.score ? b : a));
    expect(best.label).toBe('three');
  });

  it('refuses what does not fit, and goes on', async () => {
    const bad = [
      [{ inputs: { pixels: pixels(1, { float_val: [...THREE, 1] }) } }, status.INVALID_ARGUMENT],
      [{ inputs: { pixels: pixels(1, { dtype: 'DT_INT64' }) } }, status.INVALID_ARGUMENT],
      [{ inputs: { ink: pixels(1) } }, status.INVALID_ARGUMENT],
      [{ inputs: {} }, status.INVALID_ARGUMENT],
      [{ model_spec: { name: 'nobody' } }, status.NOT_FOUND],
    ] as const;
    for (const [change, code] of bad) {
      const message = { model_spec: { name: 'digits' }, inputs: { pixels: pixels(1) }, ...change };
      await expect(predict(message)).rejects.toMatchObject({ code });
    }
    const bytes = Buffer.from('no message at all');
    await expect(client.unary('Predict', {}, { service: PREDICTION, bytes })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    expect(await predict({ model_spec: { name: 'digits' }, inputs: { pixels: pixels(1) } })).toBeDefined();
  });

  it('loads and unloads by a list of models', async () => {
    const reload = (...names: string[]) =>
      model('HandleReloadConfigRequest', {
        config: { model_config_list: { config: names.map((name) => ({ name, base_path: `/models/${name}` })) } },
      });
    const states = async (name: string) =>
      (await model('GetModelStatus', { model_spec: { name } })).model_version_status.map(({ state }: Message) => state);
    expect(await states('digit-image')).toEqual(['AVAILABLE']);
    expect((await reload('digits')).status.error_code).toBe('OK');
    expect(await states('digit-image')).toEqual(['END']);
    await reload('digits', 'digit-image');
    expect([await states('digit-image'), await states('digits')]).toEqual([['AVAILABLE'], ['AVAILABLE', 'AVAILABLE']]);
    await expect(reload('digits', 'nobody')).rejects.toMatchObject({ code: status.NOT_FOUND });
    expect(await states('digit-image')).toEqual(['AVAILABLE']);
  });

  it('answers several tasks by one run', async () => {
    const features = { feature: { pixels: { float_list: { value: THREE } } } };
    const multi = (...methods: string[]) =>
      client.unary(
        'MultiInference',
        {
          tasks: methods.map((method) => ({
            model_spec: { name: 'digits', version_label: 'stable' },
            method_name: `tensorflow/serving/${method}`,
          })),
          input: { example_list: { examples: [{ features }, { features }] } },
        },
        { service: PREDICTION },
      );
    const { results } = await multi('classify');
    const [first] = results[0].classification_result.classifications;
    expect(first.classes.reduce((a: Message, b: Message) => (b.score > a.score ? b : a)).label).toBe('three');
    expect(results[0].model_spec.version.value).toBe(1);
    await expect(multi('classify', 'regress')).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe('version policies and labels of a reload', () => {
  it('hold for the models of the list', async () => {
    const list = (config: Message) =>
      model('HandleReloadConfigRequest', {
        config: { model_config_list: { config: [{ name: 'digits' }, { name: 'versions', ...config }] } },
      });
    const available = async () =>
      (await model('GetModelStatus', { model_spec: { name: 'versions' } })).model_version_status
        .filter(({ state }: Message) => state === 'AVAILABLE')
        .map(({ version }: Message) => version);
    const labelled = (label: string) =>
      model('GetModelStatus', { model_spec: { name: 'versions', version_label: label } });
    for (const version of [1, 2, 3]) placeVersion(gateway.models, 'versions', version, 'identity_fp32');

    await list({});
    expect(await available()).toEqual([3]);
    await list({ model_version_policy: { latest: { num_versions: 2 } } });
    expect(await available()).toEqual([3, 2]);
    await list({ model_version_policy: { all: {} }, version_labels: { stable: 1, canary: 3 } });
    expect(await available()).toEqual([3, 2, 1]);
    expect((await labelled('stable')).model_version_status[0].version).toBe(1);
    await list({ model_version_policy: { specific: { versions: [1, 2] } }, version_labels: { stable: 2 } });
    expect(await available()).toEqual([2, 1]);
    expect((await labelled('stable')).model_version_status[0].version).toBe(2);
    await expect(labelled('canary')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(list({ version_labels: { stable: 3 } })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'Request to assign label to version 3 of model versions, which is not currently available for inference',
    });
    await expect(list({ model_version_policy: { specific: {} } })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    expect((await labelled('stable')).model_version_status[0].version).toBe(2);
    expect(await available()).toEqual([2, 1]);
    await list({ version_labels: {} });
    await expect(labelled('stable')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});
