import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCaptureFile, type StoredRow } from '../../src/capture/index.js';
import { GrpcClient } from '../support/grpc-server.js';
import { ModelFolder } from '../support/model-folder.js';
import { listening, type ReceivedRequest, receiverOf } from '../support/received-requests.js';
import { eventually, RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const CONFIG = 'backend: "script" max_batch_size: 8 instance_group [ { count: 1, kind: KIND_CPU } ]';
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const inputs = (...data: number[]) => [{ name: 'x', datatype: 'FP32', shape: [1, 4], data }];

let folder: string;
let receiver: Server;
/** Never answers. */
let silent: Server;
const received: ReceivedRequest[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-payload-'));
  receiver = receiverOf(
    (request) => received.push(request),
    () => 202,
  );
  silent = createServer(() => {});
});
afterAll(() => {
  for (const server of [receiver, silent]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

function started(name: string, payloadLog: object, others: object = {}): Promise<RunningGateway> {
  const models = new ModelFolder();
  for (const model of ['scores', 'scores-small', 'other']) {
    models.write(`${model}/config.pbtxt`, CONFIG);
    models.write(`${model}/1/model.mjs`, scalingModel(2));
  }
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, JSON.stringify({ payloadLog, ...others }));
  return RunningGateway.start(models, ['--config', file]);
}

describe('a payload log', () => {
  it('has requests and answers of every protocol in Parquet files and as CloudEvents, by rules, redacted', async () => {
    const gateway = await started(
      'all',
      {
        models: [
          {
            model: 'scores*',
            headers: ['user-agent', 'authorization'],
            redact: { maskHeaders: ['authorization'], maskParameters: ['user'] },
          },
          { model: '*', percent: 0, errorPercent: 100 },
        ],
        parquet: [{ name: 'files', folder: 'files' }],
        http: [{ name: 'events', url: await listening(receiver), source: '/here', namespace: 'team' }],
      },
      { cost: { devices: { cpu: { market: 3600 } } } },
    );
    const body = { id: 'http', inputs: inputs(1, 2, 3, 4), parameters: { user: 'me' } };
    const headers = {
      'user-agent': 'test',
      authorization: 'Bearer x',
      traceparent: TRACE,
      'x-penstock-tenant': 'acme',
    };
    expect((await gateway.post('/v2/models/scores/infer', body, headers)).status).toBe(200);
    expect(
      (await gateway.post('/v2/models/scores-small/infer', { id: 'small', inputs: inputs(1, 1, 1, 1) })).status,
    ).toBe(200);
    expect((await gateway.post('/v2/models/other/infer', { id: 'unlogged', inputs: inputs(1, 1, 1, 1) })).status).toBe(
      200,
    );
    expect((await gateway.post('/v2/models/other/infer', { id: 'wrong', inputs: [] })).status).toBe(400);
    const grpc = new GrpcClient(gateway.grpcPort);
    await grpc.unary('ModelInfer', {
      model_name: 'scores',
      id: 'grpc',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: [0, 0, 0, 5] } }],
    });
    grpc.close();
    await eventually(async () => received.length === 8, 'every event is received');
    await eventually(
      async () => (await gateway.metric('penstock_payload_log_rows_total', { sink: 'events' })) === 4,
      'they are counted',
    );
    expect(await gateway.metric('penstock_payload_log_dropped_total', { sink: 'events', cause: 'failed' })).toBe(0);
    expect(await gateway.stop()).toBe(0);

    const rows: StoredRow[] = [];
    const files = readdirSync(join(folder, 'files'));
    expect(files.filter((name) => !/^payload-\d{8}T\d{9}Z-\d+-\d+\.parquet$/.test(name))).toEqual([]);
    for (const file of files) for await (const row of readCaptureFile(join(folder, 'files', file))) rows.push(row);
    expect(rows.map(({ id }) => id).sort()).toEqual(['grpc', 'http', 'small', 'wrong']);
    const first = rows.find(({ id }) => id === 'http') as StoredRow;
    expect(first).toMatchObject({
      model: 'scores',
      version: 1,
      route: 'default',
      sampleRate: 1,
      parameters: { user: '***' },
      headers: { 'user-agent': 'test', authorization: '***' },
      batchRows: 1,
    });
    expect(first.traceparent).toContain('0af7651916cd43dd8448eb211c80319c');
    // A price of one a second.
    expect(first.cost).toBeCloseTo((first.deviceUs as number) / 1e6, 9);
    expect(first.cost).toBeGreaterThan(0);
    expect(first.tenant).toMatch(/^hmac-sha256:/);
    expect([...new Float32Array(new Uint8Array(first.outputData).buffer)]).toEqual([2, 4, 6, 8]);
    expect(rows.find(({ id }) => id === 'wrong')).toMatchObject({ error: 'MISSING_INPUT', sampleRate: 1 });

    const ofHttp = received.filter(({ headers: { 'ce-id': id } }) => id === 'http');
    expect(ofHttp.map(({ headers: ce }) => ce['ce-type'])).toEqual([
      'org.kubeflow.serving.inference.request',
      'org.kubeflow.serving.inference.response',
    ]);
    expect(ofHttp[0]?.headers).toMatchObject({
      'ce-source': '/here',
      'ce-namespace': 'team',
      'ce-inferenceservicename': 'scores',
      'ce-modelversion': '1',
    });
    expect(ofHttp[0]?.headers['ce-traceparent']).toContain('0af7651916cd43dd8448eb211c80319c');
    expect(Number(ofHttp[1]?.headers['ce-cost'])).toBe(first.cost);
    expect(JSON.parse(ofHttp[1]?.body ?? '')).toMatchObject({
      model_name: 'scores',
      outputs: [{ data: [2, 4, 6, 8] }],
    });
  }, 60_000);

  it('is dropped and counted where receivers are dead, and no request waits, fails or holds the end up for it', async () => {
    const gateway = await started('dead', {
      models: [{ model: '*' }],
      closeSecs: 1,
      http: [{ name: 'silent', url: await listening(silent), maxQueueBytes: 20_000 }],
      kafka: [{ name: 'nowhere', brokers: ['127.0.0.1:1'], topic: 't', maxQueueBytes: 20_000, retries: 1 }],
    });
    for (let i = 0; i < 40; i++) {
      const asked = Array.from({ length: 10 }, () =>
        gateway.post('/v2/models/scores/infer', { inputs: inputs(i, 0, 0, 0) }),
      );
      for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    }
    const dropped = (sink: string, cause: string) =>
      gateway.metric('penstock_payload_log_dropped_total', { sink, cause }) as Promise<number>;
    await eventually(async () => (await dropped('silent', 'queue_full')) > 300, 'what is too much is dropped');
    await eventually(async () => (await dropped('nowhere', 'failed')) > 0, 'what cannot be sent is given up');
    for (const sink of ['silent', 'nowhere'])
      expect(await gateway.metric('penstock_payload_log_queued_bytes', { sink })).toBeLessThanOrEqual(20_000);
    const endsMs = performance.now();
    expect(await gateway.stop()).toBe(0);
    expect(performance.now() - endsMs).toBeLessThan(10_000);
  }, 60_000);
});
