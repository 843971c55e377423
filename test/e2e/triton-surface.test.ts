import { Agent } from 'node:http';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { holdPort } from '../../src/serving/transport/index.js';
import { GrpcClient } from '../support/grpc-server.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, placeVersion, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const row = (input = 'INPUT0', values: readonly number[] = [1, 2, 3, 4], id = '') =>
  JSON.stringify({
    ...(id === '' ? {} : { id }),
    ...JSON.parse(
      jsonBody({
        model: '',
        inputs: [tensor(input, 'FP32', [1, values.length], Float32Array.from(values))],
      }).toString(),
    ),
  });
const refusal = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => {
      throw new Error('was answered');
    },
    (error: ServiceError) => error,
  );

describe('with errors as Triton has them', () => {
  let gateway: RunningGateway;
  let grpc: GrpcClient;

  beforeAll(async () => {
    const models = repositoryOf({ steady: 'identity_fixed', corrupt: 'corrupt', later: 'identity_fixed' });
    gateway = await RunningGateway.start(models, [
      '--triton-compatible-errors',
      '--model-control-mode=explicit',
      '--load-model=steady',
      '--load-model=corrupt',
    ]);
    grpc = new GrpcClient(gateway.grpcPort);
  });

  afterAll(async () => {
    grpc?.close();
    expect(await gateway?.stop()).toBe(0);
  });

  it('answers probes of what is not ready with 400', async () => {
    expect((await gateway.call('/v2/health/ready')).status).toBe(400);
    expect((await gateway.call('/v2/models/corrupt/ready')).status).toBe(400);
    expect((await gateway.call('/v2/models/steady/ready')).status).toBe(200);
    expect(await grpc.unary('ServerReady', {})).toEqual({ ready: false });
  });

  it('names the request and what is wrong with it in its words, over HTTP, WebSocket and gRPC', async () => {
    const shape = await gateway.call('/v2/models/steady/infer', { body: row('INPUT0', [1], 'r7') });
    expect(shape.status).toBe(400);
    expect(shape.json().error).toMatch(
      /^\[request id: r7\] unexpected shape for input 'INPUT0' for model 'steady'\. Expected \[-1,4\], got \[1,1\]\. /,
    );
    const unknown = await gateway.call('/v2/models/nope/infer', { body: row() });
    expect([unknown.status, unknown.json().error]).toEqual([404, "Request for unknown model: 'nope' is not found"]);
    const version = await gateway.call('/v2/models/steady/versions/9/infer', { body: row() });
    expect(version.json().error).toBe("Request for unknown model: 'steady' version 9 is not found");
    const asked = { model_name: 'steady', id: 'g', inputs: [{ name: 'Z', datatype: 'FP32', shape: [1] }] };
    const bytes = { ...asked, raw_input_contents: [Buffer.alloc(4)] };
    expect((await refusal(grpc.unary('ModelInfer', bytes))).details).toBe(
      "unexpected inference input 'Z' for model 'steady'",
    );
    const stream = grpc.bidi('ModelStreamInfer').send(bytes).half();
    await stream.ended;
    expect(stream.messages[0]?.error_message).toBe("unexpected inference input 'Z' for model 'steady'");
    const frame = await answerOf(`${gateway.url}/v2/models/steady/stream`, row('Z'));
    expect(frame).toMatchObject({ status: 400, error: "unexpected inference input 'Z' for model 'steady'" });
  });

  it('answers a deadline that passed with 503 and UNAVAILABLE', async () => {
    const body = JSON.stringify({ ...JSON.parse(row()), parameters: { timeout: 1 } });
    const late = await gateway.call('/v2/models/steady/infer', { body, headers: { 'x-request-timeout-ms': '1' } });
    // The model is quicker than a millisecond now and then.
    if (late.status !== 200) expect([late.status, late.json().error]).toEqual([503, 'Request timeout expired']);
    const load = await gateway.post('/v2/repository/models/nope/load');
    expect([load.status, load.json().error]).toEqual([
      500,
      "failed to load 'nope', failed to poll from model repository",
    ]);
  });
});

describe('restricted APIs', () => {
  let gateway: RunningGateway;
  let grpc: GrpcClient;

  beforeAll(async () => {
    gateway = await RunningGateway.start(repositoryOf({ steady: 'identity_fixed' }), [
      '--http-restricted-api=inference,statistics:X-Key=open sesame',
      '--http-restricted-api=logging:log-key=other',
      '--grpc-restricted-protocol=inference,health:key=open',
      '--id=gate 7',
    ]);
    grpc = new GrpcClient(gateway.grpcPort);
  });

  afterAll(async () => {
    grpc?.close();
    expect(await gateway?.stop()).toBe(0);
  });

  it('are refused over HTTP without the header, and with another value', async () => {
    for (const headers of [{}, { 'x-key': 'open' }, { 'x-key': '' }, { 'log-key': 'open sesame' }]) {
      const answer = await gateway.call('/v2/models/steady/infer', { body: row(), headers });
      expect([answer.status, answer.json().error]).toEqual([403, "This API is restricted, expecting header 'x-key'"]);
    }
    expect((await gateway.call('/v2/models/stats', { method: 'HEAD' })).status).toBe(403);
    expect((await gateway.call('/v2/logging', { headers: { 'x-key': 'open sesame' } })).status).toBe(403);
    expect(await answerOf(`${gateway.url}/v2/models/steady/stream`, row())).toBe(403);
    expect(await gateway.metric('penstock_refused_requests_total', { reason: 'RESTRICTED' })).toBe(5);
  });

  it('are served with it; the others without', async () => {
    const headers = { 'X-KEY': 'open sesame' };
    expect((await gateway.call('/v2/models/steady/infer', { body: row(), headers })).status).toBe(200);
    expect((await gateway.call('/v2/models/stats', { headers })).status).toBe(200);
    expect((await gateway.call('/v2/logging', { headers: { 'log-key': 'other' } })).status).toBe(200);
    expect((await gateway.call('/v2/health/live')).status).toBe(200);
    expect((await gateway.call('/v2')).json().name).toBe('gate 7');
  });

  it('need the metadata over gRPC, streams and health checks included', async () => {
    const asked = { model_name: 'steady', inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4] }] };
    const bytes = { ...asked, raw_input_contents: [Buffer.alloc(16)] };
    const metadata = { 'triton-grpc-protocol-key': 'open' };
    const error = await refusal(grpc.unary('ModelInfer', bytes, { metadata: { key: 'open' } }));
    expect([error.code, error.details]).toEqual([
      7,
      "This protocol is restricted, expecting header 'triton-grpc-protocol-key'",
    ]);
    expect((await grpc.unary('ModelInfer', bytes, { metadata })).model_name).toBe('steady');
    const stream = grpc.bidi('ModelStreamInfer');
    expect((await stream.ended)?.code).toBe(7);
    const health = { service: 'grpc.health.v1.Health' };
    expect((await refusal(grpc.unary('Check', {}, health))).code).toBe(7);
    expect(await grpc.unary('Check', {}, { ...health, metadata })).toEqual({ status: 'SERVING' });
    expect((await grpc.unary('ModelMetadata', { name: 'steady' })).name).toBe('steady');
  });
});

describe('settings and models at run time', () => {
  let gateway: RunningGateway;
  let grpc: GrpcClient;

  beforeAll(async () => {
    const models = repositoryOf({
      many: {
        fixture: { 1: 'identity_fixed', 2: 'identity_fixed', 3: 'identity_fixed' },
        config: 'version_policy { specific { versions: [ 1, 2 ] } }',
        files: { 'configs/small.pbtxt': 'max_batch_size: 2 version_policy { specific { versions: [ 1, 2 ] } }' },
      },
      broken: 'corrupt',
    });
    gateway = await RunningGateway.start(models, [
      '--model-control-mode=explicit',
      '--load-model=many',
      '--model-config-name=small',
      '--model-load-retry-count=2',
      '--model-load-thread-count=2',
    ]);
    grpc = new GrpcClient(gateway.grpcPort);
  });

  afterAll(async () => {
    grpc?.close();
    expect(await gateway?.stop()).toBe(0);
  });

  const states = async () =>
    ((await gateway.post('/v2/repository/index')).json() as { name: string; version?: string; state: string }[])
      .filter(({ name }) => name === 'many')
      .map(({ version, state }) => `${version} ${state}`);

  it('serves a model by the config of the name that is asked for', async () => {
    expect((await gateway.call('/v2/models/many/config')).json().max_batch_size).toBe(2);
  });

  it('loads and unloads one version, while the others go on', async () => {
    const served = async (version: number) =>
      (await gateway.call(`/v2/models/many/versions/${version}/infer`, { body: row() })).status;
    const post = (what: string, version: unknown) =>
      gateway.post(`/v2/repository/models/many/${what}`, { parameters: { version } });
    const before = (await gateway.call('/v2/models/many/versions/1/stats')).json();
    expect((await post('load', 3)).status).toBe(200);
    expect(await states()).toEqual(['1 READY', '2 READY', '3 READY']);
    expect((await post('unload', '1')).status).toBe(200);
    expect(await states()).toEqual(['1 UNAVAILABLE', '2 READY', '3 READY']);
    expect([await served(1), await served(2), await served(3)]).toEqual([404, 200, 200]);
    expect((await gateway.call('/v2/health/ready')).status).toBe(200);
    const parameters = { version: { int64_param: 1 } };
    await grpc.unary('RepositoryModelLoad', { model_name: 'many', parameters });
    expect([await served(1), await served(2), await served(3)]).toEqual([200, 200, 200]);
    expect(before.model_stats).toHaveLength(1);
    // What was loaded by itself goes when the version policy is asked again.
    expect((await gateway.post('/v2/repository/models/many/load')).status).toBe(200);
    await eventually(async () => (await states())[2] === '3 UNAVAILABLE', 'version 3 is unloaded');
    expect((await states()).slice(0, 2)).toEqual(['1 READY', '2 READY']);
  });

  it.each([
    ['load', 7, 404, /there is no version 7/],
    ['unload', 3, 404, /version 3 is not loaded/],
    ['unload', 'x', 400, /version/],
    ['load', true, 400, /version is a boolean/],
  ])('%s of version %j is refused', async (what, version, status, why) => {
    const answer = await gateway.post(`/v2/repository/models/many/${what}`, { parameters: { version } });
    expect([answer.status, answer.json().error]).toEqual([status, expect.stringMatching(why)]);
    expect(await states()).toEqual(['1 READY', '2 READY', '3 UNAVAILABLE']);
  });

  it.each([
    ['{"max_batch_size": {{16}}}', {}, 400, /^failed to load 'many', config of the load request/],
    ['{}', { 'file:AAAA': 'AQID' }, 400, /^failed to load 'many', the parameter "file:AAAA" is not of the form/],
  ])('says that a load fails, and why: %s %j', async (config, files, status, why) => {
    const answer = await gateway.post('/v2/repository/models/many/load', { parameters: { config, ...files } });
    expect([answer.status, answer.json().error]).toEqual([status, expect.stringMatching(why)]);
  });

  it('tries a version that fails to load again', async () => {
    const failed = gateway.post('/v2/repository/models/broken/load');
    expect((await failed).status).toBe(400);
    const tries = () => gateway.log.split('\n').filter((line) => line.includes('is tried again')).length;
    await eventually(() => tries() === 2, 'two more tries');
    placeVersion(gateway.models, 'broken', 1, 'identity_fixed');
    expect((await gateway.post('/v2/repository/models/broken/load')).status).toBe(200);
  });

  it('changes what the log writes, by HTTP and gRPC', async () => {
    const first = (await gateway.call('/v2/logging')).json();
    expect(first).toEqual({
      log_file: '',
      log_info: true,
      log_warning: true,
      log_error: true,
      log_verbose_level: 0,
      log_format: 'default',
    });
    const reload = () => gateway.post('/v2/repository/models/many/load');
    const set = await gateway.post('/v2/logging', { log_verbose_level: 1, log_format: 'ISO8601', log_info: null });
    expect(set.json()).toEqual({ ...first, log_verbose_level: 1, log_format: 'ISO8601' });
    await reload();
    await eventually(() => / DEBUG model version moved/.test(gateway.log), 'readable lines of level debug');
    const settings = { log_info: { bool_param: false }, log_verbose_level: { uint32_param: 0 } };
    const told = (await grpc.unary('LogSettings', { settings })).settings;
    expect(told.log_info.bool_param).toBe(false);
    const mutedAt = new Date().toISOString();
    await reload();
    const unmutedAt = new Date().toISOString();
    for (const [body, status] of [
      [{ log_file: '/tmp/x' }, 501],
      [{ log_info: 'yes' }, 400],
      [{ log_verbose_level: -1 }, 400],
      [{ log_format: 'xml' }, 400],
      [{ log_level: 1 }, 400],
    ] as const)
      expect((await gateway.post('/v2/logging', body)).status).toBe(status);
    expect((await refusal(grpc.unary('LogSettings', { settings: { log_info: {} } }))).code).toBe(3);
    const back = await gateway.post('/v2/logging', { log_info: true, log_format: 'default' });
    expect(back.json()).toEqual(first);
    await eventually(
      () => /"call":"setLogSettings".*"msg":"administrative call"/.test(gateway.log),
      'JSON lines again',
    );
    const written = gateway.log.split('\n').map((line) => line.slice(0, mutedAt.length));
    expect(written.filter((time) => time > mutedAt && time < unmutedAt && time.startsWith('20'))).toEqual([]);
  });

  it('changes the log for nobody from elsewhere without a token', async () => {
    const headers = { 'x-forwarded-for': '10.0.0.7' };
    expect((await gateway.post('/v2/logging', { log_info: false }, headers)).status).toBe(401);
    expect((await gateway.call('/v2/logging')).json().log_info).toBe(true);
  });
});

/** The first frame that comes back, as JSON; or the status of a handshake that was refused. */
function answerOf(url: string, frame: string): Promise<unknown> {
  const socket = new WebSocket(url.replace('http', 'ws'));
  return new Promise((resolve, reject) => {
    socket.once('open', () => socket.send(frame));
    socket.once('message', (data) => {
      resolve(JSON.parse(String(data)));
      socket.close();
    });
    socket.once('unexpected-response', (_, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    socket.once('error', reject);
  });
}

describe('ports and metrics as flags of Triton ask for them', () => {
  it('listens beside another gateway with --reuse-http-port and --reuse-grpc-port, and not without', async () => {
    const held = await Promise.all([holdPort('HTTP', '127.0.0.1', 0), holdPort('gRPC', '127.0.0.1', 0)]);
    await Promise.all(held.map((one) => one.giveUp()));
    const ports = [`--http-port=${held[0].port}`, `--grpc-port=${held[1].port}`];
    const shared = ['--reuse-http-port=true', '--reuse-grpc-port=true'];
    const models = () => repositoryOf({ one: 'identity_fixed' });
    const first = await RunningGateway.start(models(), [...shared, ...ports]);
    await expect(RunningGateway.start(models(), ports)).rejects.toThrow(/cannot listen/);
    const second = await RunningGateway.start(models(), [...shared, ...ports, '--id=second']);
    const answered = new Set<string>();
    await eventually(async () => {
      // A connection of its own each time: the system chooses by connection.
      const answer = await first.call('/v2', { agent: new Agent() });
      answered.add(answer.json().name);
      return answered.size === 2;
    }, 'both have answered');
    expect(await second.stop()).toBe(0);
    expect(await first.stop()).toBe(0);
  });

  it('leaves out the counters of time where --metrics-config says so', async () => {
    const gateway = await RunningGateway.start(repositoryOf({ one: 'identity_fixed' }), [
      '--metrics-config=counter_latencies=false',
    ]);
    const page = await gateway.scrape();
    expect(page).toContain('nv_inference_request_success');
    expect(page).not.toMatch(/nv_inference_.*duration_us/);
    const memory = /^penstock_model_memory_bytes\{model="one",version="1",device="cpu"\} (\d+)$/m.exec(page)?.[1];
    const { model_stats } = (await gateway.call('/v2/models/one/stats')).json();
    expect(model_stats[0].memory_usage).toEqual([{ type: 'CPU', id: 0, byte_size: Number(memory) }]);
    expect(await gateway.stop()).toBe(0);
  });
});
