import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf, sampleOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  gateway = await RunningGateway.start(
    repositoryOf({
      fixed: 'identity_fixed',
      untouched: 'identity_fixed',
      gather: 'gather',
      slow: { fixture: 'slow', config: 'max_batch_size: 4 instance_group [ { count: 1 kind: KIND_CPU } ]' },
    }),
    ['--log-error', 'false'],
  );
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const fixed = (rows: number): NeutralRequest => ({
  model: 'fixed',
  inputs: [tensor('INPUT0', 'FP32', [rows, 4], new Float32Array(rows * 4))],
});

it('counts known traffic exactly, under our names and under those of Triton', async () => {
  // One after the other, so that each is an execution of its own.
  for (const rows of [1, 2, 3]) await gateway.call('/v2/models/fixed/infer', { body: jsonBody(fixed(rows)) });
  for (const rows of [4, 1]) await grpc.unary('ModelInfer', grpcMessage(fixed(rows), true));
  const refused: [string, string | Buffer][] = [
    ['/v2/models/fixed/infer', jsonBody(fixed(5))],
    ['/v2/models/fixed/infer', jsonBody({ model: 'fixed', inputs: [] })],
    ['/v2/models/gather/infer', '{"inputs":[{"name":"index","shape":[1,1],"datatype":"INT64","data":[9]}]}'],
    ['/v2/models/nobody/infer', jsonBody(fixed(1))],
    ['/v2/models/nobody/infer', 'no JSON'],
    ['/v2/models/fixed/infer', 'no JSON'],
  ];
  for (const [path, body] of refused) expect((await gateway.call(path, { body })).status).toBeGreaterThanOrEqual(400);
  await grpc.unary('ModelInfer', {}, { bytes: Buffer.from([0xff]) }).catch(() => undefined);

  const text = await gateway.scrape();
  const of = (name: string, labels: Record<string, string> = {}) =>
    sampleOf(text, name, { model: 'fixed', version: '1', ...labels });
  const own = {
    penstock_requests_total: { outcome: 'success', reason: 'OK' },
    penstock_inferences_total: {},
    penstock_executions_total: {},
    penstock_batch_rows_count: {},
    penstock_batch_rows_sum: {},
    penstock_request_duration_seconds_count: {},
    penstock_queue_depth: {},
    penstock_model_ready: {},
  };
  expect(Object.fromEntries(Object.entries(own).map(([name, labels]) => [name, of(name, labels)]))).toEqual({
    penstock_requests_total: 5,
    penstock_inferences_total: 11,
    penstock_executions_total: 5,
    penstock_batch_rows_count: 5,
    penstock_batch_rows_sum: 11,
    penstock_request_duration_seconds_count: 5,
    penstock_queue_depth: 0,
    penstock_model_ready: 1,
  });
  for (const stage of ['decode', 'queue', 'gather', 'compute', 'scatter', 'encode']) {
    expect(of('penstock_request_stage_duration_seconds_count', { stage }), stage).toBe(5);
  }
  expect(of('penstock_requests_total', { reason: 'SHAPE_MISMATCH' })).toBe(1);
  expect(of('penstock_requests_total', { reason: 'MISSING_INPUT' })).toBe(1);
  expect(of('penstock_model_provider_ratio', { provider: 'CPUExecutionProvider' })).toBe(1);
  expect(sampleOf(text, 'penstock_requests_total', { model: 'gather', reason: 'BACKEND_FAILED' })).toBe(1);
  expect(sampleOf(text, 'penstock_refused_requests_total', { reason: 'MODEL_NOT_FOUND' })).toBe(1);
  expect(sampleOf(text, 'penstock_refused_requests_total', { reason: 'MALFORMED_REQUEST' })).toBe(3);
  expect(sampleOf(text, 'penstock_requests_total', { model: 'untouched', outcome: 'success' })).toBe(0);

  expect(of('nv_inference_request_success')).toBe(5);
  expect(of('nv_inference_count')).toBe(11);
  expect(of('nv_inference_exec_count')).toBe(5);
  expect(of('nv_inference_request_failure', { reason: 'OTHER' })).toBe(2);
  expect(sampleOf(text, 'nv_inference_request_failure', { model: 'gather', reason: 'BACKEND' })).toBe(1);
  expect(of('nv_inference_pending_request_count')).toBe(0);
  // Each is part of the whole.
  const parts = ['queue', 'compute_input', 'compute_infer', 'compute_output'];
  const sum = parts.reduce((total, part) => total + (of(`nv_inference_${part}_duration_us`) as number), 0);
  expect(of('nv_inference_request_duration_us')).toBeGreaterThan(sum);
});

it('tells the same in the statistics of the protocol', async () => {
  const [stats] = (await gateway.call('/v2/models/fixed/stats')).json().model_stats;
  expect(stats).toMatchObject({ name: 'fixed', version: '1', inference_count: 11, execution_count: 5 });
  expect(stats.inference_stats).toMatchObject({ success: { count: 5 }, fail: { count: 2 }, queue: { count: 5 } });
  expect(
    stats.batch_stats.map((b: { batch_size: number; compute_infer: { count: number } }) => [
      b.batch_size,
      b.compute_infer.count,
    ]),
  ).toEqual([
    [1, 2],
    [2, 1],
    [3, 1],
    [4, 1],
  ]);
});

it('counts a gathered batch once, and each of its requests', async () => {
  const slow = (steps: bigint): Buffer =>
    jsonBody({
      model: 'slow',
      inputs: [
        tensor('x', 'FP32', [1, 1], Float32Array.of(1)),
        tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps)),
      ],
    });
  await Promise.all(
    [1000n, ...Array<bigint>(16).fill(10n)].map((steps) =>
      gateway.call('/v2/models/slow/infer', { body: slow(steps) }),
    ),
  );
  const text = await gateway.scrape();
  const of = (name: string) => sampleOf(text, name, { model: 'slow' }) as number;
  expect(of('nv_inference_request_success')).toBe(17);
  expect(of('nv_inference_count')).toBe(17);
  expect(of('penstock_batch_rows_sum')).toBe(17);
  // The long run holds one lane; behind it the rest gathers in fours.
  expect(of('nv_inference_exec_count')).toBeLessThan(17);
  expect(of('nv_inference_exec_count')).toBe(of('penstock_batch_rows_count'));
});

it('passes promtool', async ({ skip }) => {
  const found = spawnSync('promtool', ['--version']);
  if (found.error !== undefined) skip('promtool is not on the PATH');
  const text = await gateway.scrape();
  // Triton's names are as Triton has them; ours are held to Prometheus' rules.
  const ours = text
    .split('\n')
    .filter((line) => !/^(# (HELP|TYPE) )?nv_/.test(line))
    .join('\n');
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: ours, encoding: 'utf8' });
  expect(`${checked.stdout}${checked.stderr}`).toBe('');
  expect(checked.status).toBe(0);
});
