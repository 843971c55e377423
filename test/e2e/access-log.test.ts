import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

let gateway: RunningGateway | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-access-'));
});
afterEach(async () => {
  const running = gateway;
  gateway = undefined;
  expect((await running?.stop()) ?? 0).toBe(0);
  rmSync(folder, { recursive: true });
});

const inputs = [{ name: 'INPUT0', shape: [1, 1], datatype: 'FP32', data: [1] }];
const grpcInputs = [{ name: 'INPUT0', shape: [1, 1], datatype: 'FP32', contents: { fp32_contents: [1] } }];

function linesOf(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

describe('the access log', { timeout: 60_000 }, () => {
  it('has a line for each request, whatever the protocol, and goes on where its file is moved away', async () => {
    const models = repositoryOf({ m: 'identity_fp32' });
    const file = join(folder, 'access.log');
    const tenants = ['--tenant-source=header', '--tenant-name=x-team', '--tenant-weight=acme=1'];
    gateway = await RunningGateway.start(models, ['--access-log', file, ...tenants]);
    const { post, call } = { post: gateway.post.bind(gateway), call: gateway.call.bind(gateway) };
    const answer = await post('/v2/models/m/infer', { id: 'h1', inputs }, { traceparent: PARENT, 'x-team': 'acme' });
    await call('/v2/models/m/versions/1/infer', { body: '{' });
    await call('/v2/health/live');
    await call('/nowhere?token=secret123');
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/m/stream`);
    await new Promise((resolve) => socket.on('open', resolve));
    const answered = new Promise((resolve) => socket.on('message', resolve));
    socket.send(JSON.stringify({ id: 'w1', inputs }));
    await answered;
    socket.close();
    const client = new GrpcClient(gateway.grpcPort);
    await client.unary('ModelInfer', { model_name: 'm', id: 'g1', inputs: grpcInputs });
    await client.unary('ModelInfer', { model_name: 'nobody', id: 'g2', inputs: grpcInputs }).catch(() => {});
    await client.unary('ServerLive', {});
    const stream = client.bidi('ModelStreamInfer');
    stream.send({ model_name: 'm', id: 's1', inputs: grpcInputs }).half();
    await stream.ended;
    client.close();
    await eventually(() => linesOf(file).length >= 9, 'nine lines');
    const lines = linesOf(file);
    const of = (what: object) =>
      lines.find((line) => Object.entries(what).every(([key, value]) => line[key] === value));
    expect(lines).toHaveLength(9);
    expect(of({ requestId: 'h1' })).toMatchObject({
      protocol: 'http',
      method: 'POST',
      path: '/v2/models/m/infer',
      client: '127.0.0.1',
      status: 200,
      model: 'm',
      version: 1,
      route: 'default',
      tenant: 'acme',
      traceId: TRACE,
      bytesIn: JSON.stringify({ id: 'h1', inputs }).length,
      bytesOut: answer.body.byteLength,
      totalMs: expect.any(Number),
      computeMs: expect.any(Number),
    });
    expect(of({ status: 400 })).toMatchObject({ path: '/v2/models/m/infer', reason: 'MALFORMED_REQUEST', bytesIn: 1 });
    expect(of({ path: '/v2/health/live' })).toMatchObject({ method: 'GET', status: 200 });
    expect(of({ path: '/nowhere' })).toMatchObject({ status: 404 });
    expect(of({ requestId: 'w1' })).toMatchObject({ protocol: 'websocket', path: '/v2/models/m/stream', status: 200 });
    const infer = '/inference.GRPCInferenceService/ModelInfer';
    expect(of({ requestId: 'g1' })).toMatchObject({ protocol: 'grpc', path: infer, status: 0, client: '127.0.0.1' });
    expect(of({ requestId: 'g2' })).toMatchObject({ status: 5, reason: 'MODEL_NOT_FOUND' });
    expect(of({ path: '/inference.GRPCInferenceService/ServerLive' })).toMatchObject({ status: 0 });
    expect(of({ requestId: 's1' })).toMatchObject({ protocol: 'grpc_stream', status: 0 });
    expect(of({ requestId: 'g1' })).not.toHaveProperty('traceId');

    renameSync(file, `${file}.1`);
    const moved = async () => {
      await post('/v2/models/m/infer', { id: 'after', inputs });
      try {
        return linesOf(file).some(({ requestId }) => requestId === 'after');
      } catch {
        return false;
      }
    };
    await eventually(moved, 'a line in the new file', 10_000, 200);
    expect(await gateway.metric('penstock_access_log_dropped_total', { cause: 'busy' })).toBe(0);
    expect(await gateway.metric('penstock_access_log_lines_total')).toBeGreaterThan(9);
    expect(linesOf(`${file}.1`).length).toBeGreaterThanOrEqual(9);
  });

  it('is whole when the process has ended, in the form that web servers write, with those that failed', async () => {
    const models = repositoryOf({ m: 'identity_fp32' });
    const file = join(folder, 'access.log');
    const running = await RunningGateway.start(models, [
      '--access-log',
      file,
      '--access-log-format=combined',
      '--access-log-percent=0',
    ]);
    for (let i = 0; i < 20; i++) await running.post('/v2/models/m/infer', { inputs });
    for (let i = 0; i < 5; i++) await running.call('/v2/models/m/infer', { body: '{' });
    expect(await running.stop()).toBe(0);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:[\d:]{8} \+0000\] "POST \/v2\/models\/m\/infer HTTP\/1\.1" 400 \d+ "-" "-" totalMs=/,
    );
  });
});
