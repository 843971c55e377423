import type { Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type GrpcFixture, inferMessage, startGrpcFixture } from '../../../test/support/grpc-server.js';
import { type HttpFixture, KeptLog, startFixture } from '../../../test/support/http-server.js';
import { WALL_CLOCK } from '../../../test/support/wall-clock.js';
import { type RequestWatch, ServingError } from '../../core/index.js';
import { withoutTraces } from '../../insight/index.js';
import { RequestWatcher } from '../../insight/traces/request-watcher.js';
import type { TraceRecord } from '../../insight/traces/trace-record.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const OTHER = '11112222333344445555666677778888';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const BODY = JSON.stringify({ id: 'a1', inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1.5] }] });

let http: HttpFixture | undefined;
let grpc: GrpcFixture | undefined;
afterEach(async () => {
  await http?.server.close();
  await grpc?.stop();
  http = undefined;
  grpc = undefined;
});

/** Keeps what callers ask for, and errors. */
function watching(): { watch: RequestWatch; records: TraceRecord[] } {
  const records: TraceRecord[] = [];
  const parts = {
    clock: WALL_CLOCK,
    random: Math.random,
    head: { fraction: 0, followParent: true },
    keepErrors: 'all',
    keepSlowerThanNs: Number.POSITIVE_INFINITY,
    mayKeep: () => true,
    send: (record: TraceRecord) => records.push(record),
  } as const;
  return { watch: new RequestWatcher(parts, true), records };
}

async function post(headers: Record<string, string>, body = BODY): Promise<Response> {
  return fetch(`${http?.url}/v2/models/m/infer`, { method: 'POST', body, headers });
}

/** Sends texts over one WebSocket, gives the answers by their order. */
async function overSocket(
  texts: readonly string[],
  headers: Record<string, string>,
): Promise<Record<string, unknown>[]> {
  const socket = new WebSocket(`${http?.url.replace('http', 'ws')}/v2/models/m/stream`, { headers });
  const answers: Record<string, unknown>[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => socket.send(texts[0] as string));
    socket.on('message', (data) => {
      answers.push(JSON.parse(String(data)));
      const next = texts[answers.length];
      if (next === undefined) resolve();
      else socket.send(next);
    });
  });
  socket.close();
  return answers;
}

describe('the trace context of a request', () => {
  it('comes by HTTP headers and goes back in one, where it is traced', async () => {
    const { watch, records } = watching();
    http = await startFixture({ watch });
    const traced = await post({ traceparent: PARENT, tracestate: 'rojo=1', 'user-agent': 'test/1' });
    expect(traced.headers.get('traceresponse')).toMatch(new RegExp(`^00-${TRACE}-\\w{16}-01$`));
    const untraced = await post({});
    expect(untraced.headers.has('traceresponse')).toBe(false);
    const malformed = await post({ traceparent: `${PARENT}-`, tracestate: 'rojo=1' });
    expect([malformed.status, malformed.headers.has('traceresponse')]).toEqual([200, false]);
    const asked = await post({ 'x-penstock-explain': 'true' });
    expect(asked.headers.get('traceresponse')).toMatch(/-00$/);
    expect(records).toMatchObject([
      {
        protocol: 'http',
        traceId: TRACE,
        parentId: '00f067aa0ba902b7',
        traceState: 'rojo=1',
        userAgent: 'test/1',
        model: 'm',
        requestId: 'a1',
        requestBytes: BODY.length,
        replyBytes: Number(traced.headers.get('content-length')),
      },
    ]);
  });

  it('is in the answer of a request that fails, before or behind its decoding', async () => {
    const { watch, records } = watching();
    http = await startFixture({ watch });
    const broken = await post({}, '{');
    http.inference.failure = new ServingError('BACKEND_FAILED', 'why');
    const failed = await post({});
    for (const answer of [broken, failed]) expect(answer.headers.get('traceresponse')).toMatch(/-01$/);
    expect(records).toMatchObject([
      { reason: 'MALFORMED_REQUEST', model: 'm', decodedNs: 0, requestBytes: 1 },
      { reason: 'BACKEND_FAILED', message: 'why', requestId: 'a1' },
    ]);
  });

  it('comes with the upgrade of a WebSocket or with one of its messages', async () => {
    const { watch, records } = watching();
    http = await startFixture({ watch });
    const own = JSON.stringify({
      ...JSON.parse(BODY),
      id: 'a2',
      parameters: { traceparent: PARENT.replace(TRACE, OTHER) },
    });
    const answers = await overSocket([BODY, own, '{'], { traceparent: PARENT });
    const named = answers.map(
      ({ parameters, traceresponse }) =>
        (parameters as Record<string, unknown> | undefined)?.traceresponse ?? traceresponse,
    );
    expect(named).toEqual(
      [TRACE, OTHER, TRACE].map((id) => expect.stringMatching(new RegExp(`^00-${id}-\\w{16}-01$`))),
    );
    expect(records).toMatchObject([
      { protocol: 'websocket', traceId: TRACE, requestId: 'a1', requestBytes: BODY.length },
      { protocol: 'websocket', traceId: OTHER, requestId: 'a2' },
      { protocol: 'websocket', traceId: TRACE, reason: 'MALFORMED_REQUEST' },
    ]);
    expect(new Set(records.map((record) => 'spanId' in record && record.spanId)).size).toBe(3);
  });

  it('comes by the metadata of a gRPC call and goes back in its trailers', async () => {
    const { watch, records } = watching();
    grpc = await startGrpcFixture({ watch });
    const call = await grpc.client.unary('ModelInfer', inferMessage(), { metadata: { traceparent: PARENT } });
    expect(call.id).toBe('7');
    grpc.inference.failure = new ServingError('QUEUE_FULL', 'full');
    const error = await grpc.client.unary('ModelInfer', inferMessage()).catch((thrown) => thrown);
    expect((error.metadata as Metadata).get('traceresponse')).toEqual([expect.stringMatching(/^00-\w{32}-\w{16}-01$/)]);
    expect(records).toMatchObject([
      { protocol: 'grpc', traceId: TRACE, requestId: '7' },
      { protocol: 'grpc', reason: 'QUEUE_FULL' },
    ]);
  });

  it('comes by the metadata of a gRPC stream or with one of its messages, and goes back as a parameter', async () => {
    const { watch, records } = watching();
    grpc = await startGrpcFixture({ watch });
    const own = { traceparent: { string_param: PARENT.replace(TRACE, OTHER) } };
    const stream = grpc.client.bidi('ModelStreamInfer', { metadata: { traceparent: PARENT } });
    stream.send(inferMessage({ id: 's1' }), inferMessage({ id: 's2', parameters: own })).half();
    await stream.ended;
    const named = stream.messages.map(({ infer_response }) => infer_response.parameters.traceresponse.string_param);
    expect(named).toEqual([TRACE, OTHER].map((id) => expect.stringMatching(new RegExp(`^00-${id}-\\w{16}-01$`))));
    expect(records).toMatchObject([
      { protocol: 'grpc_stream', traceId: TRACE, requestId: 's1' },
      { protocol: 'grpc_stream', traceId: OTHER, requestId: 's2' },
    ]);
  });

  it('stands in the line that the log has about its request, with the id of the request', async () => {
    const log = new KeptLog();
    http = await startFixture({ log, watch: withoutTraces({ clock: WALL_CLOCK, random: Math.random }) });
    http.inference.failure = new ServingError('BACKEND_FAILED', 'why');
    const answer = await post({ traceparent: PARENT });
    expect(answer.headers.has('traceresponse')).toBe(false);
    expect(log.lines).toMatchObject([
      {
        level: 'error',
        message: 'request failed',
        fields: { requestId: 'a1', traceId: TRACE, reason: 'BACKEND_FAILED' },
      },
    ]);
  });
});
