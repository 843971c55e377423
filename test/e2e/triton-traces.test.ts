import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  const models = repositoryOf({ steady: 'identity_fixed', other: 'identity_fixed' });
  gateway = await RunningGateway.start(models, [
    '--trace-config',
    `triton,file=${join(models.path, '.trace.json')}`,
    '--trace-config=rate=3',
  ]);
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const body = jsonBody({ model: '', inputs: [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4.5))] });
const infer = async (model: string) => {
  expect((await gateway.call(`/v2/models/${model}/infer`, { body })).status).toBe(200);
};
const set = (values: object, path = '/v2/trace/setting') => gateway.post(path, values);
const traces = (name = '.trace.json') => {
  try {
    return JSON.parse(readFileSync(join(gateway.models.path, name), 'utf8')) as Record<string, unknown>[];
  } catch {
    return [];
  }
};
const times = (id: unknown, name = '.trace.json') =>
  traces(name).flatMap((one) => (one.id === id ? ((one.timestamps as { name: string; ns: number }[]) ?? []) : []));

describe("Triton's traces", () => {
  it('are off until they are asked for, and written then: when a request was where', async () => {
    await infer('steady');
    const before = {
      trace_level: ['OFF'],
      trace_rate: '3',
      trace_count: '-1',
      log_frequency: '0',
      trace_mode: 'triton',
    };
    expect((await gateway.call('/v2/trace/setting')).json()).toMatchObject(before);
    const after = { ...before, trace_level: ['TIMESTAMPS'], trace_rate: '1' };
    expect((await set({ trace_level: ['TIMESTAMPS'], trace_rate: '1' })).json()).toMatchObject(after);
    // Threads hear of it soon after.
    await eventually(async () => {
      await infer('steady');
      return traces().length > 0;
    }, 'a timeline');
    const [first] = traces();
    expect(first).toEqual({ id: 1, model_name: 'steady', model_version: 1 });
    const order = [
      'HTTP_RECV_START',
      'HTTP_RECV_END',
      'REQUEST_START',
      'QUEUE_START',
      'COMPUTE_START',
      'COMPUTE_INPUT_END',
      'COMPUTE_OUTPUT_START',
      'COMPUTE_END',
      'INFER_RESPONSE_COMPLETE',
      'REQUEST_END',
      'HTTP_SEND_START',
      'HTTP_SEND_END',
    ];
    expect(times(1).map(({ name }) => name)).toEqual(order);
    const at = times(1).map(({ ns }) => ns);
    expect(at).toEqual([...at].sort((a, b) => a - b));
    const failed = await gateway.call('/v2/models/steady/infer', { body: '{"inputs": []}' });
    expect(failed.status).toBe(400);
  });

  it('are of one model by its own settings, with tensors, over gRPC, in files of so many', async () => {
    const message = {
      model_name: 'other',
      id: 'g7',
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4] }],
      raw_input_contents: [Buffer.from(Float32Array.of(1, 2, 3, 4.5).buffer)],
    };
    const settings = { trace_level: { value: ['TENSORS', 'TIMESTAMPS'] }, log_frequency: { value: ['2'] } };
    const told = await grpc.unary('TraceSetting', { model_name: 'other', settings });
    expect(told.settings.trace_level.value).toEqual(['TIMESTAMPS', 'TENSORS']);
    expect((await gateway.call('/v2/models/steady/trace/setting')).json().log_frequency).toBe('0');
    await eventually(async () => {
      await grpc.unary('ModelInfer', message);
      return traces('.trace.json.0').length > 0;
    }, 'a file of two');
    const details = traces('.trace.json.0').filter((one) => one.model_name !== undefined);
    expect(details).toMatchObject([{ model_name: 'other', request_id: 'g7' }, { request_id: 'g7' }]);
    const [{ id } = {}] = details;
    expect(times(id, '.trace.json.0')[0]?.name).toBe('GRPC_WAITREAD_START');
    const tensors = traces('.trace.json.0').filter((one) => one.id === id && one.tensor !== undefined);
    const of = (name: string) => ({ name, data: '1,2,3,4.5', shape: '1,4', dtype: 'FP32' });
    expect(tensors).toEqual([
      { id, activity: 'TENSOR_QUEUE_INPUT', tensor: of('INPUT0') },
      { id, activity: 'TENSOR_BACKEND_OUTPUT', tensor: of('OUTPUT0') },
    ]);
    // An empty list clears; then the model goes by the settings of all.
    const cleared = { trace_level: { value: [] }, log_frequency: {} };
    const back = await grpc.unary('TraceSetting', { model_name: 'other', settings: cleared });
    expect([back.settings.trace_level.value, back.settings.log_frequency.value]).toEqual([['TIMESTAMPS'], ['0']]);
    expect((await set({ trace_level: null })).json().trace_level).toEqual(['OFF']);
  });

  it.each([
    [{ trace_rate: 'often' }, 400, "Unable to parse 'trace_rate', got: often"],
    [{ trace_rate: '99999999999' }, 400, /^Unable to parse 'trace_rate', value is out of range/],
    [{ trace_count: '-7' }, 400, /trace_count/],
    [{ trace_level: ['OFF', 'TENSORS'] }, 400, "Expect only one trace level 'OFF' is specified"],
    [{ trace_level: ['LOUD'] }, 400, /trace_level.*LOUD/],
    [{ log_frequency: 1.5 }, 400, /log_frequency/],
    [{ trace_level: ['TIMESTAMPS'], trace_rate: 0 }, 400, /sample rate must be non-zero/],
    [{ trace_file: '/tmp/x' }, 501, 'trace file location can not be updated through network protocol'],
    [{ trace_colour: 'red' }, 400, /unknown trace setting/],
  ])('refuse %j', async (values, status, why) => {
    const answer = await set(values);
    expect([answer.status, answer.json().error]).toEqual([
      status,
      typeof why === 'string' ? why : expect.stringMatching(why),
    ]);
  });

  it('know no model that does not serve, and nobody from elsewhere without a token', async () => {
    expect((await set({ trace_rate: '2' }, '/v2/models/nope/trace/setting')).status).toBe(404);
    const headers = { 'x-forwarded-for': '10.0.0.7' };
    expect((await gateway.post('/v2/trace/setting', { trace_rate: '2' }, headers)).status).toBe(401);
  });
});
