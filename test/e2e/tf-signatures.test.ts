import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, type Message, PREDICTION } from '../support/grpc-server.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

// Of two features: whether their sum is above 1, the sum itself, and what was given.
const MODEL = `
export const inputs = [{ name: 'x', dataType: 'FP32', dims: [-1, 2] }];
export const outputs = [
  { name: 'p', dataType: 'FP32', dims: [-1, 2] },
  { name: 'sum', dataType: 'FP32', dims: [-1, 1] },
  { name: 'same', dataType: 'FP32', dims: [-1, 2] },
];
export function infer({ rows, inputs: { x } }) {
  const sums = Float32Array.from({ length: rows }, (_, row) => x.data[2 * row] + x.data[2 * row + 1]);
  const p = Float32Array.from({ length: 2 * rows }, (_, at) => (sums[at >> 1] > 1) === (at % 2 === 1) ? 1 : 0);
  return {
    p: { data: p, shape: [rows, 2] },
    sum: { data: sums, shape: [rows, 1] },
    same: { data: Float32Array.from(x.data), shape: [rows, 2] },
  };
}
`;
const CONFIG = `
backend: script
max_batch_size: 8
instance_group: [{ count: 1, kind: KIND_CPU }]
signatures:
  serving_default: { inputs: { features: x }, outputs: { total: sum } }
  by_class: { method: classify, inputs: { features: x }, outputs: { scores: p } }
  by_value: { method: regress, inputs: { features: x }, outputs: { outputs: sum } }
  other_input: { method: regress, inputs: { numbers: x }, outputs: { outputs: sum } }
  all: {}
`;

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  const models = repositoryOf({ plain: 'identity_fixed' });
  models.write('m/config.yaml', CONFIG);
  models.write('m/1/model.mjs', MODEL);
  gateway = await RunningGateway.start(models, ['--offload-json-bytes=2000']);
  client = new GrpcClient(gateway.grpcPort);
});
afterAll(async () => {
  client?.close();
  await gateway?.stop();
});

const rest = async (method: string, body: object, model = 'm') => {
  const answer = await gateway.post(`/v1/models/${model}:${method}`, body);
  return [answer.status, answer.json()] as const;
};
const call = (method: string, message: Message) => client.unary(method, message, { service: PREDICTION });
const tensor = (...values: number[]) => ({
  dtype: 'DT_FLOAT',
  tensor_shape: { dim: [{ size: values.length / 2 }, { size: 2 }] },
  float_val: values,
});
const example = (...value: number[]) => ({ features: { feature: { features: { float_list: { value } } } } });
const input = { example_list: { examples: [example(1, 2), example(0.25, 0.5)] } };

describe('declared signatures', () => {
  it('are asked for over REST, before or behind the values, in small and large bodies', async () => {
    expect(await rest('predict', { instances: [[1, 2]] })).toEqual([200, { predictions: [[3]] }]);
    expect(await rest('predict', { inputs: { features: [[1, 2]] } })).toEqual([200, { outputs: [[3]] }]);
    expect(await rest('predict', { signature_name: 'all', instances: [{ x: [1, 2] }] })).toEqual([
      200,
      { predictions: [{ p: [0, 1], sum: [3], same: [1, 2] }] },
    ]);
    const many = Array.from({ length: 8 }, () => ({ features: [0.25, 0.5], padding: 'x'.repeat(1000) }));
    const examples = { examples: many, signature_name: 'by_class' };
    expect(await rest('classify', examples)).toEqual([
      200,
      {
        result: many.map(() => [
          ['', 1],
          ['', 0],
        ]),
      },
    ]);
    expect(await rest('regress', { examples: [{ features: [1, 2] }], signature_name: 'by_value' })).toEqual([
      200,
      { result: [3] },
    ]);
    const rows = Array.from({ length: 8 }, () => ({ features: Array.from({ length: 2 }, () => 0.123456789012345) }));
    const large = { instances: rows, note: 'x'.repeat(3000), signature_name: 'by_class' };
    expect(await rest('predict', large)).toEqual([200, { predictions: rows.map(() => [1, 0]) }]);
  });

  it('are asked for over gRPC', async () => {
    const spec = (signature_name = '') => ({ name: 'm', signature_name });
    const first = await call('Predict', { model_spec: spec(), inputs: { features: tensor(1, 2) } });
    expect([first.outputs.total.float_val, first.model_spec.signature_name]).toEqual([[3], 'serving_default']);
    const all = { model_spec: spec('all'), inputs: { x: tensor(1, 2) }, output_filter: ['same'] };
    const { outputs, model_spec } = await call('Predict', all);
    expect([Object.keys(outputs), model_spec.signature_name]).toEqual([['same'], 'all']);
    const { result } = await call('Classify', { model_spec: spec('by_class'), input });
    expect(result.classifications.map(({ classes }: Message) => classes.map(({ score }: Message) => score))).toEqual([
      [0, 1],
      [1, 0],
    ]);
    const tasks = [
      { model_spec: spec('by_value'), method_name: 'tensorflow/serving/regress' },
      { model_spec: spec('by_class'), method_name: 'tensorflow/serving/classify' },
    ];
    const { results } = await call('MultiInference', { tasks, input });
    expect(results[0].regression_result.regressions).toEqual([{ value: 3 }, { value: 0.75 }]);
    expect(results[1].classification_result.classifications[1].classes[0].score).toBe(1);
    expect(results.map((one: Message) => one.model_spec.signature_name)).toEqual(['by_value', 'by_class']);
    const other = { model_spec: spec('other_input'), method_name: 'tensorflow/serving/regress' };
    for (const [list, details] of [
      [[...tasks, tasks[0]], /Duplicate evaluation of signature: by_value/],
      [[tasks[1], other], /Input tensor must be the same for all Signatures/],
    ] as const)
      await expect(call('MultiInference', { tasks: list, input })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: expect.stringMatching(details),
      });
  });

  it('are in the metadata', async () => {
    const { metadata } = (await gateway.call('/v1/models/m/metadata')).json();
    const { signature_def } = metadata.signature_def;
    expect(Object.keys(signature_def).sort()).toEqual([
      'all',
      'by_class',
      'by_value',
      'other_input',
      'serving_default',
    ]);
    expect(signature_def.by_value).toMatchObject({
      inputs: { features: { name: 'x', dtype: 'DT_FLOAT' } },
      outputs: { outputs: { name: 'sum' } },
      method_name: 'tensorflow/serving/regress',
    });
    expect((await gateway.call('/v2/models/m/config')).json().parameters['penstock.signatures']).toBeDefined();
  });

  it('refuse what they have not, by name', async () => {
    for (const [method, body, why] of [
      ['predict', { signature_name: 'no', instances: [[1, 2]] }, /^Serving signature key "no" not found/],
      ['predict', { inputs: { x: [[1, 2]] } }, /"x".*features/],
      ['predict', { signature_name: 7, instances: [[1, 2]] }, /signature_name/],
      ['classify', { examples: [{ features: [1, 2] }] }, /Expected classification signature method_name to be/],
      ['regress', { signature_name: 'no', examples: [{ features: [1, 2] }] }, /No signature was found/],
    ] as const) {
      const [code, answer] = await rest(method, body);
      expect([code, answer.error]).toEqual([400, expect.stringMatching(why)]);
    }
    const [code, answer] = await rest('predict', { signature_name: 'all', instances: [[1]] }, 'plain');
    expect([code, answer.error]).toEqual([400, 'Serving signature key "all" not found.']);
    const predict = { model_spec: { name: 'm', signature_name: 'no' }, inputs: { features: tensor(1, 2) } };
    await expect(call('Predict', predict)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    for (const inputs of [{ x: tensor(1, 2) }, { features: tensor(1, 2), y: tensor(1, 2) }])
      await expect(call('Predict', { model_spec: { name: 'm' }, inputs })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: expect.stringContaining("signature 'serving_default'"),
      });
    expect((await rest('predict', { instances: [[1, 2]] }))[0]).toBe(200);
  });
});
