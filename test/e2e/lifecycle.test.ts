import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { fixturePath } from '../support/onnx-fixtures.js';
import { eventually, placeVersion, RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
let grpc: GrpcClient;
let token: string;

beforeAll(async () => {
  const models = repositoryOf({
    steady: 'identity_fixed',
    changing: 'identity_fixed',
    later: 'identity_fixed',
    heavy: 'heavy',
    slow: 'slow',
    corrupt: 'corrupt',
    empty: 'empty',
    unknown_op: 'unknown_op',
    complex: 'unsupported_complex64',
    bad_config: { fixture: 'identity_fixed', config: 'max_batch_size: "many"' },
    bad_dims: {
      fixture: 'identity_fixed',
      config: 'input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 7 ] } ]',
    },
  });
  const start = ['corrupt', 'empty', 'unknown_op', 'complex', 'bad_config', 'bad_dims', 'steady', 'changing'];
  const flags = ['--model-control-mode', 'explicit', ...start.flatMap((name) => ['--load-model', name])];
  gateway = await RunningGateway.start(models, [...flags, '--admin-token-file', join(models.path, '.token')]);
  token = readFileSync(join(models.path, '.token'), 'utf8').trim();
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const load = (model: string, body: unknown = {}, headers = {}) =>
  gateway.post(`/v2/repository/models/${model}/load`, body, headers);
const unload = (model: string, headers = {}) => gateway.post(`/v2/repository/models/${model}/unload`, {}, headers);
const row = (values: readonly number[]) =>
  jsonBody({ model: '', inputs: [tensor('INPUT0', 'FP32', [1, values.length], Float32Array.from(values))] });
const infer = (model: string, values: readonly number[] = [1, 2, 3, 4]) =>
  gateway.call(`/v2/models/${model}/infer`, { body: row(values) });
const index = async () =>
  (await gateway.post('/v2/repository/index')).json() as { name: string; state?: string; reason?: string }[];

describe('broken models', () => {
  it.each([
    ['corrupt', /not an ONNX model/],
    ['empty', /empty/],
    ['unknown_op', /NoSuchOperator|com\.example\.nowhere/],
    ['complex', /complex64/],
    ['bad_config', /config.pbtxt:1/],
    ['bad_dims', /INPUT0/],
  ])('%s is reported in the index, the log and its answers, and stops nobody', async (model, why) => {
    const entry = (await index()).find(({ name }) => name === model);
    expect(entry?.state).toBe('UNAVAILABLE');
    expect(entry?.reason).toMatch(why);
    expect(gateway.log.split('\n').some((line) => line.includes(`"${model}"`) && why.test(line))).toBe(true);
    const answer = await infer(model);
    expect(answer.status).toBe(503);
    expect(answer.json().error).toMatch(why);
    expect((await infer('steady')).status).toBe(200);
  });
});

describe('explicit control', () => {
  it('loads and unloads what it is asked for', async () => {
    expect((await infer('later')).status).not.toBe(200);
    expect((await load('later')).status).toBe(200);
    expect((await infer('later')).json().outputs[0].data).toEqual([1, 2, 3, 4]);
    expect((await gateway.call('/v2/models/later/ready')).status).toBe(200);
    expect((await unload('later')).status).toBe(200);
    expect((await infer('later')).status).toBe(404);
    expect((await gateway.call('/v2/models/later/ready')).status).toBe(503);
    expect((await gateway.call('/v2/models/nobody/ready')).status).toBe(404);
    expect((await gateway.call('/v2/models/steady/versions/77/ready')).status).toBe(404);
    expect((await index()).find(({ name }) => name === 'later')).toMatchObject({ state: 'UNAVAILABLE' });
  });

  it('fails no request while a model is reloaded again and again', async () => {
    const wrong: unknown[] = [];
    let answered = 0;
    let stop = false;
    const clients = Array.from({ length: 8 }, async (_, client) => {
      while (!stop) {
        const answer = await infer('changing', [client, 1, 2, 3]);
        const right = answer.status === 200 && answer.json().outputs[0].data[0] === client;
        if (!right) wrong.push(answer.body.toString());
        answered++;
      }
    });
    for (let reload = 0; reload < 20; reload++) {
      const before = answered;
      expect((await load('changing')).status).toBe(200);
      await eventually(() => answered > before + 8, 'requests go on');
    }
    stop = true;
    await Promise.all(clients);
    expect(wrong).toEqual([]);
    expect(answered).toBeGreaterThan(160);
  });

  it('moves to a new version without a gap, and keeps the last good one where the new one is broken', async () => {
    placeVersion(gateway.models, 'changing', 2, 'overridable');
    expect((await load('changing')).status).toBe(200);
    const answer = (await infer('changing')).json();
    expect([answer.model_version, answer.outputs[0].data]).toEqual(['2', [2, 4, 6, 8]]);

    placeVersion(gateway.models, 'changing', 3, 'corrupt');
    const refused = await load('changing');
    expect(refused.status).toBe(400);
    expect(refused.json().error).toMatch(/not an ONNX model/);
    const still = (await infer('changing')).json();
    expect([still.model_version, still.outputs[0].data]).toEqual(['2', [2, 4, 6, 8]]);
    gateway.models.remove('changing/3');
  });

  it('takes a config and files with the call, and goes back with a plain load', async () => {
    const parameters = {
      config: '{"max_batch_size":2}',
      'file:1/model.onnx': readFileSync(fixturePath('overridable')).toString('base64'),
    };
    expect((await load('steady', { parameters })).status).toBe(200);
    expect((await infer('steady')).json().outputs[0].data).toEqual([2, 4, 6, 8]);
    expect((await gateway.call('/v2/models/steady/config')).json().max_batch_size).toBe(2);
    expect((await load('steady')).status).toBe(200);
    expect((await infer('steady')).json().outputs[0].data).toEqual([1, 2, 3, 4]);
    expect((await gateway.call('/v2/models/steady/config')).json().max_batch_size).toBe(4);
  });

  it('gives the memory back: twenty reloads within 1.2 times the first', async () => {
    const x = new Float32Array(4096).fill(1);
    const ask = () =>
      gateway.call('/v2/models/heavy/infer', {
        body: Buffer.from(x.buffer),
        headers: { 'inference-header-content-length': '0' },
      });
    const cycle = async () => {
      expect((await load('heavy')).status).toBe(200);
      expect((await ask()).status).toBe(200);
    };
    await cycle();
    const first = gateway.rssBytes();
    for (let reload = 0; reload < 20; reload++) await cycle();
    expect(gateway.rssBytes()).toBeLessThan(1.2 * first);
    expect((await unload('heavy')).status).toBe(200);
    // Its weights are 64 MB.
    expect(first - gateway.rssBytes()).toBeGreaterThan(48e6);
  });
});

describe('what was accepted is answered', () => {
  const slow = (steps: bigint) =>
    jsonBody({
      model: '',
      inputs: [
        tensor('x', 'FP32', [1, 1], Float32Array.of(7)),
        tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps)),
      ],
    });

  it('when its model is unloaded', async () => {
    expect((await load('slow')).status).toBe(200);
    const asked = Array.from({ length: 20 }, () => gateway.call('/v2/models/slow/infer', { body: slow(500n) }));
    await eventually(
      async () => ((await gateway.metric('penstock_queue_depth', { model: 'slow' })) ?? 0) > 0,
      'requests wait',
      2000,
      1,
    );
    expect((await unload('slow')).status).toBe(200);
    const later = await gateway.call('/v2/models/slow/infer', { body: slow(1n) });
    expect(later.status).toBe(404);
    for (const answer of await Promise.all(asked)) {
      // One that came after the unload began is refused; none is lost or wrong.
      if (answer.status === 200) expect(answer.json().outputs[0].data).toEqual([7]);
      else expect([404, 503]).toContain(answer.status);
    }
    expect((await Promise.all(asked)).filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  });

  it('when the server is told to end: no connection is cut, and the exit code is 0', async () => {
    const ending = await RunningGateway.start(repositoryOf({ slow: 'slow' }));
    const asked = Array.from({ length: 40 }, () => ending.call('/v2/models/slow/infer', { body: slow(300n) }));
    await eventually(
      async () => ((await ending.metric('penstock_queue_depth', { model: 'slow' })) ?? 0) > 0,
      'requests wait',
      2000,
      1,
    );
    process.kill(ending.pid, 'SIGTERM');
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(4);
    expect(await ending.exited).toBe(0);
    ending.models.remove();
  });
});

describe('who may load', () => {
  /** A call that a proxy passed on speaks for somebody else, wherever the proxy runs. */
  const RELAYED = [
    { 'X-Forwarded-For': '192.0.2.1' },
    { Forwarded: 'for=192.0.2.1' },
    { Origin: 'http://example.org' },
  ];

  it.each(RELAYED)('from elsewhere only with the token: %o', async (headers) => {
    const none = await load('later', {}, headers);
    expect([none.status, none.json().error]).toEqual([401, expect.stringContaining('token')]);
    expect((await load('later', {}, { ...headers, Authorization: 'Bearer wrong' })).status).toBe(403);
    expect((await unload('steady', headers)).status).toBe(401);
    expect((await load('later', {}, { ...headers, Authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await unload('later', { ...headers, Authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await infer('steady')).status).toBe(200);
  });

  it('the same over gRPC', async () => {
    const call = (metadata: Record<string, string>) =>
      grpc.unary('RepositoryModelLoad', { model_name: 'later' }, { metadata }).then(
        () => 0,
        ({ code }: ServiceError) => code,
      );
    expect(await call({ 'x-forwarded-for': '192.0.2.1' })).toBe(16);
    expect(await call({ 'x-forwarded-for': '192.0.2.1', authorization: 'Bearer wrong' })).toBe(7);
    expect(await call({ 'x-forwarded-for': '192.0.2.1', authorization: `Bearer ${token}` })).toBe(0);
    expect(await call({})).toBe(0);
  });

  it('a stranger learns nothing about which models exist', async () => {
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const [known, unknown] = [await load('steady', {}, headers), await load('nobody', {}, headers)];
    expect(known.body.toString()).toBe(unknown.body.toString());
  });
});

it('in mode none nothing is loaded or unloaded by a call', async () => {
  const fixed = await RunningGateway.start(repositoryOf({ steady: 'identity_fixed' }));
  for (const verb of ['load', 'unload']) {
    const answer = await fixed.post(`/v2/repository/models/steady/${verb}`);
    expect([answer.status, answer.json().error]).toEqual([501, expect.stringContaining('explicit')]);
  }
  expect(await fixed.stop()).toBe(0);
});
