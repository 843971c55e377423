import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serialiseBytes } from '../../src/core/index.js';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, InferForms, jsonBody, type NeutralRequest } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const MODE = { from: 'input', name: 'mode' };
const FILTERS = [
  { name: 'poison', when: { of: MODE, prefix: 'poison' }, block: 'this input is not served today' },
  {
    name: 'known',
    when: { of: MODE, equals: 'known' },
    answer: [{ name: 'y', datatype: 'FP32', shape: [1], data: [42] }],
  },
  { name: 'away', when: { of: MODE, equals: 'away' }, reroute: 1 },
];
const SPLIT = {
  arms: [
    { to: 1, percent: 50 },
    { to: 2, percent: 50 },
  ],
  key: { from: 'request-id' },
};
const CONFIG = 'max_batch_size: 4 version_policy { all {} } instance_group [ { count: 2 kind: KIND_CPU } ]';
const EJECTION = { consecutive_failures: 3, error_percent: 0, seconds: 1 };

const model = (routes: object) => ({
  fixture: { 1: 'second-fails.js', 2: 'second-fails.js' },
  config: CONFIG,
  files: { 'routes.json': JSON.stringify(routes) },
});

let gateway: RunningGateway;
let forms: InferForms;
beforeAll(async () => {
  gateway = await RunningGateway.start(
    repositoryOf({
      filtered: model({ filters: FILTERS }),
      saved: model({ default: 'ab', splits: { ab: SPLIT }, fallback: { to: 1, after_ms: 100 } }),
      ejecting: model({ default: 'ab', splits: { ab: SPLIT }, ejection: EJECTION }),
    }),
  );
  forms = new InferForms(gateway);
}, 60_000);
afterAll(async () => {
  await forms?.close();
  expect(await gateway?.stop()).toBe(0);
});

const asking = (name: string, mode: string, id = ''): NeutralRequest => ({
  model: name,
  id,
  inputs: [{ name: 'mode', dataType: 'BYTES', shape: [1, 1], data: serialiseBytes([new TextEncoder().encode(mode)]) }],
});
const infer = async (name: string, mode: string, id = '') => {
  const { status, headers, json } = await gateway.call(`/v2/models/${name}/infer`, {
    body: jsonBody(asking(name, mode, id)),
  });
  const version = status === 200 ? json().outputs[0].data[0] : status;
  return `${version} ${headers['x-penstock-route']}`;
};
const ids = Array.from({ length: 24 }, (_, i) => `caller-${i}`);

describe('filters', () => {
  it('block, answer and reroute over every protocol', async () => {
    for (const form of forms.all) {
      const blocked = await form.send(asking('filtered', 'poisonous'));
      expect(blocked, form.name).toMatchObject({ ok: false, message: 'this input is not served today' });
      for (const [mode, value] of [
        ['known', 42],
        ['away', 1],
        ['other', 2],
      ] as const) {
        const answer = await form.send(asking('filtered', mode));
        if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
        expect([...new Float32Array(new Uint8Array(answer.outputs[0]!.data).buffer)], form.name).toEqual([value]);
      }
    }
    expect(await infer('filtered', 'poison')).toBe('403 poison');
    expect(await infer('filtered', 'known')).toBe('42 known');
    expect(await gateway.metric('penstock_route_events_total', { event: 'answered_by_filter' })).toBeGreaterThan(0);
    expect(await gateway.metric('penstock_requests_total', { reason: 'BLOCKED' })).toBeGreaterThan(0);
  });
});

describe('a fallback', () => {
  it('answers every request once, while the version they go to fails, dawdles or works', async () => {
    const modes = ['fail', 'slow', 'ok'];
    const alone = await Promise.all(ids.map((id) => infer('saved', 'ok', id)));
    expect(new Set(alone)).toEqual(new Set(['1 ab', '2 ab']));
    // Who waits behind a slow one is answered in the second place too, however sound.
    const asked = ids.flatMap((id) => modes.map((mode) => infer('saved', mode, id)));
    const outcomes = new Set(await Promise.all(asked));
    expect([...outcomes].filter((outcome) => !['1 ab', '2 ab', '1 fallback'].includes(outcome))).toEqual([]);
    expect(outcomes).toContain('1 fallback');
    const grpc = new GrpcClient(gateway.grpcPort);
    for (const mode of modes) {
      const answers = await Promise.all(
        ids.map((id) => grpc.unary('ModelInfer', grpcMessage(asking('saved', mode, id), true))),
      );
      expect(answers.map(({ id }) => id)).toEqual(ids);
    }
    grpc.close();
    const named = await gateway.call('/v2/models/saved/versions/2/infer', { body: jsonBody(asking('saved', 'fail')) });
    expect(named.status).toBe(500);
    expect(
      await gateway.metric('penstock_route_events_total', { model: 'saved', event: 'second_try' }),
    ).toBeGreaterThan(0);
  }, 60_000);

  it('keeps its promise while clients cancel', async () => {
    const aborts = ids.map(async (id, i) => {
      const abort = new AbortController();
      const call = gateway.call('/v2/models/saved/infer', {
        body: jsonBody(asking('saved', 'slow', id)),
        signal: abort.signal,
      });
      setTimeout(() => abort.abort(), 40 * (i % 6));
      return call.then(
        ({ status }) => status,
        () => 'cancelled',
      );
    });
    expect(new Set([...(await Promise.all(aborts)), 'cancelled', 200])).toEqual(new Set(['cancelled', 200]));
    expect(await infer('saved', 'ok', 'caller-1')).toMatch(/^[12] /);
    // A thread may see that its client went a moment after another one answers the next.
    const depth = () => gateway.metric('penstock_queue_depth', { model: 'saved' });
    await eventually(async () => (await depth()) === 0, 'nobody waits for a client that went away');
  }, 60_000);
});

describe('ejection', () => {
  it('takes a failing version out of its split and back in, callers returning to where they were', async () => {
    const round = async (mode: string) => {
      const outcomes: string[] = [];
      for (const id of ids) outcomes.push(await infer('ejecting', mode, id));
      return outcomes;
    };
    const before = await round('ok');
    expect(new Set(before)).toEqual(new Set(['1 ab', '2 ab']));
    // Each thread that has sockets finds out by itself; one connection at a time is one thread's or another's.
    for (let i = 0; i < 6; i++) await round('fail');
    expect(gateway.log).toMatch(/version ejected from its splits/);
    const failures = (await round('fail')).filter((outcome) => outcome.startsWith('500')).length;
    expect(failures).toBeLessThan(3);
    const end = performance.now() + 20_000;
    for (;;) {
      const now = await round('ok');
      if (now.join() === before.join()) break;
      if (performance.now() > end) throw new Error(`not as before: ${now.join()}`);
    }
    expect(gateway.log).toMatch(/version is in its splits again/);
    expect(
      await gateway.metric('penstock_route_events_total', { model: 'ejecting', event: 'ejection' }),
    ).toBeGreaterThan(0);
  }, 60_000);
});
