import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const ROUTES = (percent: number) => `
labels: { stable: 1, next: 2 }
default: ab
splits:
  ab:
    arms: [{ to: stable, percent: ${100 - percent} }, { to: next, percent: ${percent} }]
    key: { from: header, name: x-user }
rules:
  - { name: cookie, when: { of: { from: cookie, name: version }, equals: next }, to: next }
  - { name: large, when: { of: { from: input, name: INPUT0, index: 1 }, above: 100 }, to: 3 }
  - { name: local, when: { all: [{ of: { from: client }, equals: 127.0.0.1 }, { of: { from: header, name: x-local }, exists: true }] }, to: 3 }
`;
const MODEL = 'm';
const request = (second = 2, id = '') => ({
  model: MODEL,
  id,
  inputs: [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, second, 3, 4))],
});

let gateway: RunningGateway | undefined;
afterEach(async () => {
  const code = await gateway?.stop();
  gateway = undefined;
  expect(code ?? 0).toBe(0);
});

async function serve(routes: string, flags: readonly string[] = []): Promise<RunningGateway> {
  const models = repositoryOf({
    [MODEL]: {
      fixture: { 1: 'identity_fixed', 2: 'identity_fixed', 3: 'identity_fixed' },
      config: 'version_policy { all {} }',
      files: { 'routes.yaml': routes },
    },
    plain: 'identity_fixed',
  });
  gateway = await RunningGateway.start(models, [...flags, '--admin-token-file', join(models.path, '.token')]);
  return gateway;
}

const user = (name: string | number) => ({ 'x-user': `user-${name}` });
const way = (headers: Readonly<Record<string, unknown>>) =>
  ['version', 'route', 'table'].map((name) => String(headers[`x-penstock-${name}`])).join(' ');

async function overHttp(one: RunningGateway, headers: Record<string, string>, second?: number) {
  const answer = await one.call(`/v2/models/${MODEL}/infer`, { body: jsonBody(request(second)), headers });
  expect(answer.status).toBe(200);
  expect(String(answer.headers['x-penstock-version'])).toBe(answer.json().model_version);
  return way(answer.headers);
}

/** The trailers of an answer, whatever its status. */
function overGrpc(client: GrpcClient, message: object, metadata: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    void client
      .unary('ModelInfer', message, {
        metadata,
        onCall: (call) => call.on('status', (status) => resolve(way(status.metadata.getMap()))),
      })
      .catch(() => {});
  });
}

async function overWebSocket(one: RunningGateway, headers: Record<string, string>, second?: number): Promise<string> {
  const socket = new WebSocket(`${one.url.replace('http', 'ws')}/v2/models/${MODEL}/stream`, { headers });
  const answer = await new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send(jsonBody(request(second)).toString()));
    socket.once('message', (data) => resolve(String(data)));
  });
  socket.terminate();
  const { penstock_version, penstock_route, penstock_table } = JSON.parse(answer).parameters;
  return `${penstock_version} ${penstock_route} ${penstock_table}`;
}

describe('routes of a file beside a model', () => {
  it('send a caller the same way over every protocol, and every answer names the way', async () => {
    const one = await serve(ROUTES(40));
    const grpc = new GrpcClient(one.grpcPort);
    const seen = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const http = await overHttp(one, user(i));
      seen.add(http);
      expect([await overGrpc(grpc, grpcMessage(request(), true), user(i)), await overWebSocket(one, user(i))]).toEqual([
        http,
        http,
      ]);
    }
    const table = [...seen][0]?.split(' ')[2];
    expect(seen).toEqual(new Set([`1 ab ${table}`, `2 ab ${table}`]));
    const cookie = { cookie: 'a=1; version=next' };
    expect(await overHttp(one, cookie)).toBe(`2 cookie ${table}`);
    expect(await overWebSocket(one, cookie)).toBe(`2 cookie ${table}`);
    expect(await overHttp(one, {}, 101)).toBe(`3 large ${table}`);
    expect(await overGrpc(grpc, grpcMessage(request(101), true), {})).toBe(`3 large ${table}`);
    const local = { 'x-local': '1' };
    expect(await overHttp(one, local)).toBe(`3 local ${table}`);
    expect(await overGrpc(grpc, grpcMessage(request(), true), local)).toBe(`3 local ${table}`);
    expect(await overWebSocket(one, local)).toBe(`3 local ${table}`);

    const named = await one.call(`/v2/models/${MODEL}/versions/3/infer`, { body: jsonBody(request()) });
    expect(way(named.headers)).toBe(`3 named ${table}`);
    const plain = await one.call('/v2/models/plain/infer', { body: jsonBody({ ...request(), model: 'plain' }) });
    expect(way(plain.headers)).toMatch(/^1 default \d+$/);
    expect(plain.json().parameters).toBeUndefined();

    // An error after the routes decided names the way too, an error before it does not.
    const wrong = { ...request(), inputs: [tensor('INPUT0', 'FP32', [1, 3], Float32Array.of(1, 2, 3))] };
    const refused = await one.call(`/v2/models/${MODEL}/infer`, { body: jsonBody(wrong), headers: cookie });
    expect([refused.status, way(refused.headers)]).toEqual([400, `2 cookie ${table}`]);
    expect(await overGrpc(grpc, grpcMessage(wrong, true), cookie)).toBe(`2 cookie ${table}`);
    const absent = await one.call(`/v2/models/${MODEL}/versions/9/infer`, { body: jsonBody(request()) });
    expect([absent.status, absent.headers['x-penstock-route']]).toEqual([404, undefined]);

    const stream = grpc.bidi('ModelStreamInfer', { metadata: user(1) }).send(grpcMessage(request(), true));
    await stream.count(1);
    stream.half();
    expect(stream.messages[0]?.infer_response.parameters.penstock_route.string_param).toBe('ab');
    grpc.close();
  });

  it('are read anew with each load, keep their callers, and lose no request meanwhile', async () => {
    const one = await serve(ROUTES(10), ['--model-control-mode', 'explicit', '--load-model', MODEL]);
    const users = Array.from({ length: 60 }, (_, i) => i);
    const version = async (i: number) => (await overHttp(one, user(i))).split(' ').map(String);
    const before = await Promise.all(users.map(version));
    const load = () => one.post(`/v2/repository/models/${MODEL}/load`);
    const grpc = new GrpcClient(one.grpcPort);
    let loading = true;
    const asked = { count: 0, tables: new Set<string>(), versions: new Map<string, Set<string>>() };
    const ask = async (over: (i: number) => Promise<string>) => {
      for (let i = 0; loading; i = (i + 1) % users.length) {
        const [at, , table] = (await over(i)).split(' ') as [string, string, string];
        asked.count++;
        asked.tables.add(table);
        const key = `${i} ${table}`;
        asked.versions.set(key, (asked.versions.get(key) ?? new Set()).add(at));
      }
    };
    const clients = [
      ask((i) => overHttp(one, user(i))),
      ask((i) => overHttp(one, user(i))),
      ask((i) => overGrpc(grpc, grpcMessage(request(), true), user(i))),
      ask((i) => overWebSocket(one, user(i))),
    ];
    for (const percent of [30, 60, 100]) {
      one.models.write(`${MODEL}/routes.yaml`, ROUTES(percent));
      expect((await load()).status).toBe(200);
    }
    one.models.write(`${MODEL}/routes.yaml`, 'default: ab\nsplits:\n  ab: { arms: [{ to: 1, percent: 90 }] }');
    const refused = await load();
    expect([refused.status, refused.json().error]).toEqual([
      400,
      expect.stringMatching(/m\/routes.yaml:3: splits.ab.arms: the percentages sum to 90/),
    ]);
    one.models.write(`${MODEL}/routes.yaml`, 'default: 9');
    expect((await load()).json().error).toMatch(/m\/routes.yaml:1: default: version 9 is not served; served: 1, 2, 3/);
    const after = await Promise.all(users.map(version));
    loading = false;
    await Promise.all(clients);
    grpc.close();
    expect(asked.tables.size).toBeGreaterThan(2);
    // Under one table a caller has one version, over all protocols.
    for (const versions of asked.versions.values()) expect(versions.size).toBe(1);
    expect(after.map(([at]) => at)).toEqual(users.map(() => '2'));
    expect(before.filter(([at]) => at === '2').length).toBeGreaterThan(0);
  }, 60_000);
});
