import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

/** Some minutes of computing: whatever waits for it is not waited for by a test. */
const ENDLESS = 10_000_000n;
const INFER = '/v2/models/slow/infer';

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  // One request an execution, so that each occupies the instance or waits.
  const config = 'max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ] dynamic_batching {}';
  gateway = await RunningGateway.start(repositoryOf({ slow: { fixture: 'slow', config } }));
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

/** All that came in a test, so that one that fails leaves nothing to the next. */
const leavers: Leaver[] = [];
const came = (leaver: Leaver): Leaver => {
  leavers.push(leaver);
  return leaver;
};

// Whatever is left behind would hold this up for minutes.
afterEach(async () => {
  for (const { leave } of leavers.splice(0)) leave();
  const started = performance.now();
  const answer = await gateway.call(INFER, { body: jsonBody(slow(1n)) });
  expect(answer.json().outputs[0].data).toEqual([7]);
  expect(performance.now() - started).toBeLessThan(2000);
});

const slow = (steps: bigint, more: Partial<NeutralRequest> = {}): NeutralRequest => ({
  model: 'slow',
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
  ...more,
});

/** A client of one protocol that asks for something endless and goes away; its promise settles when it is gone. */
interface Leaver {
  leave(): void;
  readonly gone: Promise<unknown>;
}

function overHttp(): Leaver {
  const abort = new AbortController();
  const gone = gateway.call(INFER, { body: jsonBody(slow(ENDLESS)), signal: abort.signal }).catch(() => undefined);
  return came({ leave: () => abort.abort(), gone });
}

function overWebSocket(): Leaver {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/slow/stream`);
  socket.once('open', () => socket.send(jsonBody(slow(ENDLESS)).toString()));
  const gone = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  return came({ leave: () => socket.terminate(), gone });
}

function overGrpc(): Leaver {
  let cancel = () => {};
  const gone = grpc
    .unary('ModelInfer', grpcMessage(slow(ENDLESS), true), {
      onCall: (call) => {
        cancel = () => call.cancel();
      },
    })
    .catch(() => undefined);
  return came({ leave: () => cancel(), gone });
}

function overGrpcStream(): Leaver {
  const stream = grpc.bidi('ModelStreamInfer').send(grpcMessage(slow(ENDLESS), true));
  return came({ leave: () => stream.call.cancel(), gone: stream.ended });
}

const depth = () => gateway.metric('penstock_queue_depth', { model: 'slow' });
const cancelled = async () =>
  (await gateway.metric('penstock_requests_total', { model: 'slow', reason: 'CLIENT_CANCELLED' })) ?? 0;

/** Holds until a run computes: nothing else takes the gateway so much time when nobody calls it. */
const busy = () => {
  const before = gateway.cpuMs();
  return eventually(() => gateway.cpuMs() - before >= 100, 'a run computes');
};

/** Holds until the gateway's threads rest: a run that goes on would take a core. */
const idle = () =>
  eventually(async () => {
    const before = gateway.cpuMs();
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
    return gateway.cpuMs() - before <= 60;
  }, 'the gateway computes nothing');

describe('a client that goes away', () => {
  it.each([
    ['HTTP', overHttp],
    ['WebSocket', overWebSocket],
    ['gRPC', overGrpc],
    ['a gRPC stream', overGrpcStream],
  ] as const)('over %s frees its place in the queue, and its run ends', async (_, come) => {
    const before = await cancelled();
    const running = come();
    await busy();
    const waiting = Array.from({ length: 4 }, come);
    // Each instance has two lanes: one of the four may be gathered already.
    await eventually(async () => ((await depth()) ?? 0) >= 3, 'the others wait in the queue');
    for (const client of waiting) client.leave();
    await Promise.all(waiting.map(({ gone }) => gone));
    await eventually(async () => (await depth()) === 0, 'the queue is empty');
    running.leave();
    await running.gone;
    await eventually(async () => (await cancelled()) - before === 5, 'five requests count as cancelled');
    await idle();
  });
});

describe('a deadline', () => {
  /** From now until the promise settles, in milliseconds. */
  const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
    const started = performance.now();
    const got = await work;
    return [got, performance.now() - started];
  };
  const MS = 150;
  const inTime = (ms: number) => {
    // A request that waits is given up a little earlier: when what is left is less than an execution takes.
    expect(ms).toBeGreaterThan(MS / 2);
    expect(ms).toBeLessThan(MS + 1000);
  };
  const refused = (work: Promise<unknown>): Promise<ServiceError> =>
    work.then(
      () => Promise.reject(new Error('it was answered')),
      (error) => error,
    );

  it('by x-request-timeout-ms is 504 in time, and ends the run', async () => {
    const headers = { 'x-request-timeout-ms': String(MS) };
    const [answer, ms] = await timed(gateway.call(INFER, { body: jsonBody(slow(ENDLESS)), headers }));
    expect(answer.status).toBe(504);
    expect(answer.json().error).toMatch(/deadline/i);
    inTime(ms);
    await idle();
  });

  it('by the timeout parameter is 504 for a request that waits', async () => {
    const ahead = overHttp();
    await busy();
    const behind = overHttp();
    const request = slow(1n, { parameters: { timeout: MS * 1000 } });
    const [answer, ms] = await timed(gateway.call(INFER, { body: jsonBody(request) }));
    expect(answer.status).toBe(504);
    inTime(ms);
    for (const client of [behind, ahead]) client.leave();
    await Promise.all([ahead.gone, behind.gone]);
  });

  it('by the timeout parameter is code 4 over gRPC, and a 504 frame over WebSocket', async () => {
    const held = [overHttp(), overHttp()];
    await busy();
    const request = slow(1n, { id: 'late', parameters: { timeout: MS * 1000 } });
    const [error, ms] = await timed(refused(grpc.unary('ModelInfer', grpcMessage(request, true))));
    expect([error.code, error.metadata.get('x-penstock-reason')]).toEqual([4, ['DEADLINE_EXCEEDED']]);
    inTime(ms);
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/slow/stream`);
    socket.once('open', () => socket.send(jsonBody(request).toString()));
    const frame = await new Promise<Buffer>((resolve) => {
      socket.once('message', (data: Buffer) => resolve(data));
    });
    socket.terminate();
    expect(JSON.parse(frame.toString())).toMatchObject({ id: 'late', status: 504, reason: 'DEADLINE_EXCEEDED' });
    for (const client of held) client.leave();
    await Promise.all(held.map(({ gone }) => gone));
  });

  it('by grpc-timeout is code 4 in time, and ends the run', async () => {
    const [error, ms] = await timed(
      refused(grpc.unary('ModelInfer', grpcMessage(slow(ENDLESS), true), { deadlineMs: MS })),
    );
    expect(error.code).toBe(4);
    inTime(ms);
    await idle();
  });
});
