import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const PARENT = '00f067aa0ba902b7';
/** A trace id that tells which request it is. */
const traceOf = (number: number) => number.toString(16).padStart(32, 'a');
const parentOf = (number: number) => `00-${traceOf(number)}-${PARENT}-01`;
const STAGES = ['decode', 'admit', 'queue', 'compute', 'scatter', 'encode'];
const SERVER = 2;
const ERROR = 2;

let gateway: RunningGateway | undefined;
let receiver: OtlpReceiver | undefined;
afterEach(async () => {
  const [running, collector] = [gateway, receiver];
  [gateway, receiver] = [undefined, undefined];
  expect((await running?.stop()) ?? 0).toBe(0);
  await collector?.close();
});

async function serve(
  models: Parameters<typeof repositoryOf>[0],
  flagsOf: (collector: OtlpReceiver) => readonly string[],
) {
  const collector = await OtlpReceiver.start();
  receiver = collector;
  const running = await RunningGateway.start(repositoryOf(models), flagsOf(collector));
  gateway = running;
  return { gateway: running, receiver: collector };
}

/** Only what callers ask for, and errors. */
const overHttp = ({ httpUrl }: OtlpReceiver) => ['--tracing-endpoint', httpUrl, '--tracing-percent', '0'];

const inputs = (values: readonly number[]) => [
  { name: 'INPUT0', shape: [1, values.length], datatype: 'FP32', data: values },
];
const grpcRequest = (id: string, more: object = {}) => ({
  model_name: 'm',
  id,
  inputs: [{ name: 'INPUT0', shape: [1, 1], datatype: 'FP32', contents: { fp32_contents: [1] } }],
  ...more,
});

/** What the trace of any answered request has to be. */
function expectWhole(collector: OtlpReceiver, server: ReceivedSpan, number: number): void {
  expect(server).toMatchObject({ kind: SERVER, traceId: traceOf(number), parentId: PARENT, status: 0 });
  const children = collector.childrenOf(server);
  expect(children.map(({ name }) => name)).toEqual(STAGES);
  let before = server.startNs;
  for (const { startNs, endNs, kind } of children) {
    expect(startNs).toBeGreaterThanOrEqual(before);
    expect(endNs).toBeGreaterThanOrEqual(startNs);
    expect(kind).toBe(1);
    before = startNs;
  }
  expect(children.at(-1)?.endNs).toBe(server.endNs);
  expect(Math.abs(Number(server.endNs / 1_000_000n) - Date.now())).toBeLessThan(60_000);
}

/** Members and batch name each other. */
function expectLinked(collector: OtlpReceiver, server: ReceivedSpan): ReceivedSpan {
  const compute = collector.childrenOf(server).find(({ name }) => name === 'compute');
  const [link] = compute?.links ?? [];
  const batch = collector.spans.find(({ spanId }) => spanId === link?.spanId);
  expect(batch?.traceId).toBe(link?.traceId);
  expect(batch?.parentId).toBe('');
  expect(batch?.links).toContainEqual({ traceId: server.traceId, spanId: server.spanId });
  expect([batch?.startNs, batch?.endNs]).toEqual([compute?.startNs, compute?.endNs]);
  return batch as ReceivedSpan;
}

describe('traces', { timeout: 60_000 }, () => {
  it('reach a collector over OTLP/HTTP, whole, of requests by HTTP, WebSocket and gRPC', async () => {
    const { gateway, receiver } = await serve({ m: 'identity_fp32' }, overHttp);
    const answer = await gateway.post(
      '/v2/models/m/infer',
      { id: 'h', inputs: inputs([1]) },
      { traceparent: parentOf(1), tracestate: 'rojo=1', 'user-agent': 'e2e/1' },
    );
    expect(answer.headers.traceresponse).toMatch(new RegExp(`^00-${traceOf(1)}-\\w{16}-01$`));

    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/m/stream`, {
      headers: { traceparent: parentOf(2) },
    });
    await new Promise((resolve) => socket.on('open', resolve));
    const answered = new Promise((resolve) => socket.on('message', resolve));
    socket.send(JSON.stringify({ id: 'w', inputs: inputs([1]) }));
    socket.send(JSON.stringify({ id: 'v', inputs: inputs([1]), parameters: { traceparent: parentOf(3) } }));
    await answered;

    const client = new GrpcClient(gateway.grpcPort);
    await client.unary('ModelInfer', grpcRequest('u'), { metadata: { traceparent: parentOf(4) } });
    const stream = client.bidi('ModelStreamInfer', { metadata: { traceparent: parentOf(5) } });
    stream
      .send(grpcRequest('s'), grpcRequest('t', { parameters: { traceparent: { string_param: parentOf(6) } } }))
      .half();
    await stream.ended;

    const servers = [...(await receiver.named('infer m', 6))].sort((a, b) => (a.traceId < b.traceId ? -1 : 1));
    await receiver.named('batch m', 1);
    socket.close();
    client.close();
    for (const [i, server] of servers.entries()) expectWhole(receiver, server, i + 1);
    await eventually(
      () =>
        servers.every((one) =>
          receiver.spans.some(
            ({ name, links }) => name === 'batch m' && links.some(({ spanId }) => spanId === one.spanId),
          ),
        ),
      'the batches',
    );
    for (const server of servers) expectLinked(receiver, server);
    const [http, ws, , unary, streamed] = servers;
    expect(http).toMatchObject({
      traceState: 'rojo=1',
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v2/models/:model/infer',
        'url.path': '/v2/models/m/infer',
        'http.response.status_code': 200,
        'user_agent.original': 'e2e/1',
        'penstock.kept_for': 'head',
        'penstock.model.name': 'm',
        'penstock.model.version': 1,
        'penstock.request.id': 'h',
        'penstock.route': 'default',
        'penstock.batch.rows': expect.any(Number),
      },
      resource: {
        'service.name': 'penstock',
        'service.version': expect.any(String),
        'service.instance.id': expect.any(String),
      },
    });
    expect(ws?.attributes).toMatchObject({ 'network.protocol.name': 'websocket', 'penstock.request.id': 'w' });
    expect(unary?.attributes).toMatchObject({
      'rpc.system.name': 'grpc',
      'rpc.method': 'inference.GRPCInferenceService/ModelInfer',
      'rpc.response.status_code': 'OK',
    });
    expect(streamed?.attributes).toMatchObject({
      'rpc.method': 'inference.GRPCInferenceService/ModelStreamInfer',
      'penstock.request.id': 's',
    });
    expect(await gateway.metric('penstock_traces_kept_total', { kept_for: 'head' })).toBe(6);
    await eventually(
      async () => (await gateway.metric('penstock_spans_exported_total')) === receiver.spans.length,
      'the count of spans',
    );
  });

  it('reach a collector over OTLP/gRPC, also those that are gathered when the process ends', async () => {
    const { gateway: running, receiver } = await serve({ m: 'identity_fp32' }, ({ grpcUrl }) => [
      '--tracing-endpoint',
      grpcUrl,
      '--tracing-protocol=grpc',
      '--tracing-percent=100',
    ]);
    await running.post('/v2/models/m/infer', { inputs: inputs([1]) }, { traceparent: parentOf(1) });
    gateway = undefined;
    expect(await running.stop()).toBe(0);
    const server = receiver.spans.find(({ name }) => name === 'infer m') as ReceivedSpan;
    expectWhole(receiver, server, 1);
    expectLinked(receiver, server);
  });

  it('link all members of an execution with it, whoever took them', async () => {
    const config =
      'max_batch_size: 8 instance_group [ { count: 1 kind: KIND_CPU } ] dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 2000000 }';
    const { gateway, receiver } = await serve({ m: { fixture: 'identity_fp32', config } }, overHttp);
    const send = (number: number, headers: Record<string, string>) =>
      gateway.call('/v2/models/m/infer', {
        body: JSON.stringify({ id: `${number}`, inputs: inputs([number]) }),
        headers,
      });
    // The fourth is in the batch and not traced.
    await Promise.all([1, 2, 3, 4].map((number) => send(number, number < 4 ? { traceparent: parentOf(number) } : {})));
    const servers = await receiver.named('infer m', 3);
    const [batch] = await receiver.named('batch m', 1);
    for (const server of servers) expect(expectLinked(receiver, server)).toBe(batch);
    expect(batch?.links).toHaveLength(3);
    expect(batch?.attributes).toMatchObject({
      'penstock.batch.rows': 4,
      'penstock.batch.requests': 4,
      'penstock.device': 'cpu',
      'penstock.batch.traced_members': 3,
      'penstock.batch.padding_share': 0,
    });
    expect(receiver.childrenOf(batch as ReceivedSpan).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['gather', 'run']),
    );
  });

  it('are kept for errors and for latency although their callers did not ask, and for nothing else', async () => {
    const timed = {
      fixture: {},
      config: `input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ] output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
        max_batch_size: 4 instance_group [ { count: 1 kind: KIND_CPU } ] dynamic_batching { }`,
      files: { '1/curve.txt': '400,1\n' },
    };
    const { gateway, receiver } = await serve({ timed, m: 'identity_fp32' }, (collector) => [
      ...overHttp(collector),
      '--tracing-keep-slower-than-ms=300',
    ]);
    const input = { name: 'x', shape: [1, 1], datatype: 'FP32', data: [1] };
    const fast = await gateway.post('/v2/models/m/infer', { inputs: inputs([1]) });
    expect([fast.status, fast.headers.traceresponse]).toEqual([200, undefined]);
    const slow = await gateway.post('/v2/models/timed/infer', { inputs: [input] });
    expect([slow.status, slow.headers.traceresponse]).toEqual([200, expect.stringMatching(/-01$/)]);
    const late = await gateway.post('/v2/models/timed/infer', { inputs: [input] }, { 'x-request-timeout-ms': '100' });
    expect([late.status, late.headers.traceresponse]).toEqual([504, expect.stringMatching(/-01$/)]);
    const malformed = await gateway.call('/v2/models/m/infer', { body: '{' });
    expect([malformed.status, malformed.headers.traceresponse]).toEqual([400, undefined]);
    const [first, second] = await receiver.named('infer timed', 2);
    await receiver.named('batch timed', 1);
    expect(receiver.spans.filter(({ name }) => name === 'infer m')).toEqual([]);
    expect(first).toMatchObject({ status: 0, attributes: { 'penstock.kept_for': 'latency' } });
    const error = { 'penstock.kept_for': 'error', 'error.type': 'DEADLINE_EXCEEDED', 'http.response.status_code': 504 };
    expect(second).toMatchObject({ status: ERROR, attributes: error });
    expect(Number(second?.attributes['penstock.deadline_ms'])).toBeCloseTo(100, 3);
    expectLinked(receiver, first as ReceivedSpan);
    // It is known by now that no execution would be in time.
    expect(receiver.childrenOf(second as ReceivedSpan).map(({ name }) => name)).toEqual(STAGES.slice(0, 3));
  });

  it('of copies for a candidate are traces of their own, linked with their requests', async () => {
    const routes = 'default: 1\nshadows:\n  - { name: to-2, to: 2, percent: 100 }\n';
    const model = {
      fixture: { 1: 'identity_fp32', 2: 'identity_fp32' },
      config: 'max_batch_size: 4 version_policy { all {} }',
      files: { 'routes.yaml': routes },
    };
    const { gateway, receiver } = await serve({ m: model }, overHttp);
    await gateway.post('/v2/models/m/infer', { inputs: inputs([1]) }, { traceparent: parentOf(1) });
    const [shadow] = await receiver.named('shadow m', 1);
    const [server] = await receiver.named('infer m', 1);
    expect(shadow).toMatchObject({
      parentId: '',
      links: [{ traceId: traceOf(1), spanId: server?.spanId }],
      attributes: { 'penstock.model.version': 2 },
    });
    expect(shadow?.traceId).not.toBe(traceOf(1));
    expect(receiver.childrenOf(shadow as ReceivedSpan).map(({ name }) => name)).toEqual(['queue', 'compute']);
  });

  it('are limited in number, and counted where they are dropped or their collector fails', async () => {
    const { gateway, receiver } = await serve({ m: 'identity_fp32' }, (collector) => [
      '--tracing-endpoint',
      collector.httpUrl,
      '--tracing-percent=100',
      '--tracing-max-traces-per-second=2',
    ]);
    receiver.status = 400;
    for (let i = 0; i < 20; i++)
      expect((await gateway.post('/v2/models/m/infer', { inputs: inputs([1]) })).status).toBe(200);
    const kept = await gateway.metric('penstock_traces_kept_total', { kept_for: 'head' });
    const dropped = await gateway.metric('penstock_traces_dropped_total', { cause: 'rate' });
    expect((kept ?? 0) + (dropped ?? 0)).toBe(20);
    expect(dropped).toBeGreaterThan(10);
    await eventually(
      async () => ((await gateway.metric('penstock_spans_dropped_total', { cause: 'export_failed' })) ?? 0) > 0,
      'the count of what failed',
    );
    await eventually(() => gateway.log.includes('traces could not be exported'), 'a line of the log');
  });
});
