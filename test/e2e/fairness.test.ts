import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

/** What an execution shall take about, in milliseconds: much more than a request's way, little enough for many. */
const EXECUTION_MS = 4;
const FLOODERS = 100;
const QUEUE = 40;
const ONE = 'max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ]';
const weighted = (weight: number) =>
  `${ONE} parameters { key: "penstock.device_weight" value { string_value: "${weight}" } }`;

let gateway: RunningGateway;
let grpc: GrpcClient;
let steps = 2000n;
const agent = new Agent({ keepAlive: true, maxSockets: FLOODERS });

beforeAll(async () => {
  const models = {
    slow: { fixture: 'slow', config: ONE },
    heavy: { fixture: 'slow', config: weighted(3) },
    light: { fixture: 'slow', config: weighted(1) },
  };
  gateway = await RunningGateway.start(repositoryOf(models), [
    `--max-queue-size=${QUEUE}`,
    '--tenant-weight=flood=1',
    '--tenant-weight=calm=1',
    '--max-device-executions=1',
  ]);
  grpc = new GrpcClient(gateway.grpcPort);
  // Machines differ: as many steps as take the time.
  const times: number[] = [];
  for (let i = 0; i < 9; i++) times.push(await timed(() => gateway.call(inferPath('slow'), { body: body('slow') })));
  steps = BigInt(Math.max(1, Math.round((Number(steps) * EXECUTION_MS) / median(times))));
}, 60_000);

afterAll(async () => {
  grpc?.close();
  agent.destroy();
  await gateway?.stop();
});

const inferPath = (model: string) => `/v2/models/${model}/infer`;
const request = (model: string): NeutralRequest => ({
  model,
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
});
const body = (model: string) => jsonBody(request(model));
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Many clients that ask again as soon as they are answered, or a moment after they are refused, until they are stopped. */
function flood(headers: Readonly<Record<string, string>>, model = 'slow', clients = FLOODERS) {
  let on = true;
  const answeredMs: number[] = [];
  const refusals: { status: number; retryAfter: string | undefined; text: string }[] = [];
  const client = async () => {
    while (on) {
      const started = performance.now();
      const answer = await gateway.call(inferPath(model), { body: body(model), headers, agent });
      if (answer.status === 200) answeredMs.push(performance.now() - started);
      else {
        refusals.push({
          status: answer.status,
          retryAfter: answer.headers['retry-after']?.toString(),
          text: answer.body.toString(),
        });
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
      }
    }
  };
  const ended = Promise.all(Array.from({ length: clients }, client));
  const stop = async () => {
    on = false;
    await ended;
  };
  return { answeredMs, refusals, stop };
}

/** One request after the other by a client of a protocol; each rejects where it is not answered. */
type Ask = (headers: Readonly<Record<string, string>>) => Promise<{ ask(): Promise<unknown>; close(): void }>;

const overHttp: Ask = async (headers) => ({
  ask: async () => {
    const answer = await gateway.call(inferPath('slow'), { body: body('slow'), headers });
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  },
  close: () => {},
});

const overGrpc: Ask = async (metadata) => ({
  ask: () => grpc.unary('ModelInfer', grpcMessage(request('slow'), true), { metadata }),
  close: () => {},
});

const overGrpcStream: Ask = async (metadata) => {
  const stream = grpc.bidi('ModelStreamInfer', { metadata });
  let sent = 0;
  return {
    ask: async () => {
      stream.send(grpcMessage(request('slow'), true));
      sent++;
      await eventually(() => stream.messages.length === sent, 'the stream answers', 10_000, 1);
      if (stream.messages[sent - 1]?.error_message) throw new Error(stream.messages[sent - 1]?.error_message);
    },
    close: () => stream.half(),
  };
};

const overWebSocket: Ask = async (headers) => {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/slow/stream`, { headers });
  await new Promise((resolve) => {
    socket.once('open', resolve);
  });
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        socket.once('message', (data) => {
          const answer = JSON.parse(String(data));
          if (answer.error === undefined) resolve(answer);
          else reject(new Error(answer.error));
        });
        socket.send(body('slow').toString());
      }),
    close: () => socket.terminate(),
  };
};

const PROTOCOLS = [
  ['HTTP', overHttp],
  ['gRPC', overGrpc],
  ['a gRPC stream', overGrpcStream],
  ['WebSocket', overWebSocket],
] as const;

const full = (refusals: readonly unknown[]) => eventually(() => refusals.length > FLOODERS, 'the queue is full');

describe('a tenant beside one that floods', () => {
  it.each(PROTOCOLS)(
    'is answered soon, every time, over %s',
    async (_, by) => {
      const flooding = flood({ 'x-penstock-tenant': 'flood' });
      const calm = await by({ 'x-penstock-tenant': 'calm' });
      try {
        await full(flooding.refusals);
        const times: number[] = [];
        for (let i = 0; i < 15; i++) times.push(await timed(calm.ask));
        // Who floods waits behind some forty of its own, the other behind one or two that run.
        expect(median(times)).toBeLessThan(median(flooding.answeredMs) / 3);
        const { tenants } = (await gateway.call('/v2/models/slow/scheduler')).json();
        const row = (name: string) => tenants.find((tenant: { name: string }) => tenant.name === name);
        expect(row('calm')).toMatchObject({ weight: 1, refused: 0 });
        expect(row('flood').refused).toBeGreaterThan(FLOODERS);
        expect(row('calm').device_ms).toBeGreaterThan(0);
      } finally {
        calm.close();
        await flooding.stop();
      }
      for (const { status, retryAfter, text } of flooding.refusals) {
        expect(status, text).toBe(503);
        expect(Number(retryAfter), text).toBeGreaterThanOrEqual(1);
      }
    },
    60_000,
  );

  it('waits with the others where its name is not one that is known', async () => {
    const flooding = flood({ 'x-penstock-tenant': 'made-up-1' });
    try {
      await full(flooding.refusals);
      const headers = { 'x-penstock-tenant': 'made-up-2' };
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => gateway.call(inferPath('slow'), { body: body('slow'), headers })),
      );
      expect(answers.filter(({ status }) => status === 503).length).toBeGreaterThan(5);
    } finally {
      await flooding.stop();
    }
  }, 60_000);
});

describe('critical requests beside a flood of sheddable ones', () => {
  it.each(PROTOCOLS)(
    'are taken into the full queue, over %s',
    async (_, by) => {
      const flooding = flood({ 'x-penstock-criticality': 'sheddable' });
      // Several at once: one alone would come just when an answer has made room.
      const critical = await Promise.all(Array.from({ length: 6 }, () => by({ 'x-penstock-criticality': 'CRITICAL' })));
      try {
        await full(flooding.refusals);
        for (let i = 0; i < 4; i++) await Promise.all(critical.map((one) => one.ask()));
      } finally {
        for (const one of critical) one.close();
        await flooding.stop();
      }
      const displaced = flooding.refusals.filter(({ text }) => text.includes('to one that matters more'));
      expect(displaced.length).toBeGreaterThan(0);
      const { criticality } = (await gateway.call('/v2/models/slow/scheduler')).json();
      const refused = (level: string) =>
        criticality.find((row: { level: string }) => row.level === level)?.refused as number | undefined;
      expect(refused('critical')).toBe(0);
      expect(refused('sheddable')).toBeGreaterThan(displaced.length - 1);
    },
    60_000,
  );

  it('say so by a parameter, too; a level that there is not is refused', async () => {
    const asked = (level: string) => {
      const json = JSON.parse(body('slow').toString());
      return gateway.post(inferPath('slow'), { ...json, parameters: { 'x-penstock-criticality': level } });
    };
    expect((await asked('critical_plus')).status).toBe(200);
    const refused = await asked('urgent');
    expect([refused.status, refused.json().error]).toEqual([400, expect.stringContaining('expected critical_plus')]);
  });
});

describe('models that share a device', () => {
  it('have its time by their weights while both have requests waiting', async () => {
    const floods = [flood({}, 'heavy', 12), flood({}, 'light', 12)] as const;
    const [heavy, light] = floods;
    try {
      await eventually(() => heavy.answeredMs.length + light.answeredMs.length > 400, 'enough are answered', 30_000);
    } finally {
      await Promise.all(floods.map(({ stop }) => stop()));
    }
    const ratio = heavy.answeredMs.length / light.answeredMs.length;
    expect(ratio).toBeGreaterThan(2);
    expect(ratio).toBeLessThan(4);
  }, 60_000);
});
