import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, tensor } from '../support/infer-forms.js';
import { eventually, type HttpAnswer, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seriesOf } from '../support/scraped-series.js';

const TOKEN = 'pst_costs_of_this_test';
const PRICE_PER_SECOND = 0.4 / 3600;
const EXACT = 1e-9;
const CONFIG = {
  cost: { currency: 'EUR', devices: { cpu: { market: 0.4 } } },
  tenants: { weights: { acme: 2, beta: 1 } },
};
/** Stands at its first step for as long as the test: a third to the candidate, half of the rest copied to it. */
const ROLLOUT = `model: tried
calibration: { executions: 100 }
steps:
  - canary: 33
    shadow: 50
    minSeconds: 600
guards:
  - metric: error-rate
    maxDifference: 0.5
`;

let folder: string;
let gateway: RunningGateway;

const script = (batching: string) =>
  `backend: "script" max_batch_size: 8 dynamic_batching { ${batching} } version_policy { all {} }`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-costs-'));
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  const tokens = { tokens: [{ name: 'ann', scopes: ['rollout'], sha256 }] };
  writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify(tokens));
  writeFileSync(join(folder, 'penstock.yaml'), JSON.stringify(CONFIG));
  const models = repositoryOf({
    tried: { fixture: { 3: 'releases.js', 4: 'releases.js' }, config: script('') },
    // Every other execution fails; only of one that holds several requests is anything run again.
    failing: { fixture: { 5: 'releases.js' }, config: script('max_queue_delay_microseconds: 20000') },
    copied: {
      fixture: { 1: 'identity_fixed', 2: 'identity_fixed' },
      config: 'version_policy { all {} }',
      files: { 'routes.yaml': 'default: 1\nshadows:\n  - { name: to-2, to: 2, percent: 100 }\n' },
    },
    sized: {
      fixture: 'mlp',
      files: { 'config.yaml': 'max_batch_size: 8\ndynamic_batching: {}\nallowed_batch_sizes: [8]\n' },
    },
  });
  gateway = await RunningGateway.start(models, [
    '--admin-port=0',
    '--model-control-mode=explicit',
    '--load-model=*',
    `--config=${join(folder, 'penstock.yaml')}`,
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    '--log-error=false',
    '--log-warning=false',
  ]);
});

afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

interface Told {
  readonly model: string;
  readonly version: string;
  readonly route: string;
  readonly seconds: number;
  readonly amount: number;
}

const told: Told[] = [];

function note(model: string, { status, headers }: HttpAnswer): void {
  if (status !== 200) return;
  const of = (name: string) => headers[`x-penstock-${name}`] as string;
  const [seconds, amount] = [Number(of('device-ms')) / 1e3, Number(of('cost'))];
  expect(seconds).toBeGreaterThan(0);
  expect(Math.abs(amount - seconds * PRICE_PER_SECOND)).toBeLessThanOrEqual(EXACT * amount);
  told.push({ model, version: of('version'), route: of('route'), seconds, amount });
}

async function ask(model: string, name: string, shape: readonly number[], tenant: string): Promise<void> {
  const data = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i % 4);
  const headers = { 'x-penstock-explain': 'true', 'x-penstock-tenant': tenant };
  const inputs = [{ name, shape, datatype: 'FP32', data }];
  note(model, await gateway.post(`/v2/models/${model}/infer`, { inputs }, headers));
}

async function costs() {
  const all = seriesOf(await gateway.scrape()).filter(({ name }) => name.startsWith('penstock_cost_'));
  const of = (family: string, labels: Readonly<Record<string, string>> = {}) =>
    all.filter(
      (series) =>
        series.name === `penstock_cost_${family}` &&
        Object.entries(labels).every(([label, value]) => series.labels[label] === value),
    );
  const sum = (family: string, labels: Readonly<Record<string, string>> = {}) =>
    of(family, labels).reduce((total, { value }) => total + value, 0);
  return { of, sum };
}

it('adds up under a mixed load with a canary, copies, failures and padding, and to what answers were told', async () => {
  const started = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/admin/rollouts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/yaml' },
    body: ROLLOUT,
  });
  expect(started.status, await started.clone().text()).toBeLessThan(300);
  const tenants = ['acme', 'beta', 'whoever', ''];
  const canaries = () =>
    told.filter(({ model, version, route }) => model === 'tried' && version === '4' && route !== 'named');
  const load = async () => {
    await Promise.all(
      tenants.flatMap((tenant) => [
        ask('tried', 'x', [1, 2], tenant),
        ask('tried', 'x', [2, 2], tenant),
        ask('failing', 'x', [1, 2], tenant),
        ask('copied', 'INPUT0', [1, 4], tenant),
        ask('sized', 'x', [1, 64], tenant),
      ]),
    );
    return canaries().length >= 20 && (await costs()).sum('device_seconds_total', { kind: 'retried' }) > 0;
  };
  await eventually(load, 'some requests are answered by the candidate, and some run again', 60_000, 0);
  // Copies are on their way when their requests have been answered.
  await eventually(
    async () => (await costs()).sum('device_seconds_total', { kind: 'shadow' }) > 0,
    'copies are booked',
  );

  const { of, sum } = await costs();
  for (const kind of ['direct', 'padding', 'failed', 'retried', 'canary', 'shadow'])
    expect(sum('device_seconds_total', { kind }), kind).toBeGreaterThan(0);
  // direct + waste + idle = price x time.
  const elapsed = sum('elapsed_seconds_total');
  const whole = sum('amount_total') + sum('idle_amount_total');
  expect(Math.abs(whole - elapsed * PRICE_PER_SECOND)).toBeLessThanOrEqual(EXACT * whole);
  expect(Math.abs(whole - sum('device_amount_total'))).toBeLessThanOrEqual(EXACT * whole);
  expect(sum('conservation_error_ratio')).toBeLessThan(EXACT);
  expect(Math.abs(sum('device_seconds_total') - sum('busy_seconds_total'))).toBeLessThanOrEqual(EXACT * elapsed);
  // What answers were told is in the books: direct where nothing was run again, canary of the candidate.
  const sumTold = (which: (one: Told) => boolean) =>
    told.filter(which).reduce((total, { seconds }) => total + seconds, 0);
  const close = (a: number, b: number, what: string) =>
    expect(Math.abs(a - b), what).toBeLessThanOrEqual(EXACT * Math.max(a, b));
  for (const model of ['tried', 'copied', 'sized']) {
    const direct = sumTold((one) => one.model === model && !canaries().includes(one));
    close(direct, sum('device_seconds_total', { model, kind: 'direct' }), model);
  }
  const tried = canaries().reduce((total, { seconds }) => total + seconds, 0);
  close(tried, sum('device_seconds_total', { model: 'tried', version: '4', kind: 'canary' }), 'canary');
  // Whose it is: tenants that are known by name, nobody for the release.
  const names = new Set(of('requests_total', { kind: 'direct' }).map(({ labels }) => labels.tenant));
  expect(names).toEqual(new Set(['acme', 'beta', '(others)', '']));
  for (const { labels } of [...of('requests_total', { kind: 'canary' }), ...of('requests_total', { kind: 'shadow' })])
    expect(labels.tenant).toBe('');
  expect(of('requests_total', { kind: 'canary' }).map(({ labels }) => [labels.version, labels.route])).toEqual([
    ['4', canaries()[0]?.route],
  ]);
  expect(sum('requests_total', { model: 'sized', kind: 'direct' })).toBe(
    told.filter(({ model }) => model === 'sized').length,
  );
}, 90_000);

it('tells an answer its cost in trailers of gRPC, and in parameters of a WebSocket', async () => {
  const request = { model: 'sized', inputs: [tensor('x', 'FP32', [1, 64], new Float32Array(64))] };
  const client = new GrpcClient(gateway.grpcPort);
  const trailers = await new Promise<Metadata>((resolve) => {
    const onCall = (call: { on(event: 'status', listener: (status: { metadata: Metadata }) => void): unknown }) =>
      call.on('status', ({ metadata }) => resolve(metadata));
    void client.unary('ModelInfer', grpcMessage(request, true), { metadata: { 'x-penstock-explain': 'true' }, onCall });
  });
  client.close();
  expect(Number(trailers.get('x-penstock-device-ms')[0])).toBeGreaterThan(0);
  expect(Number(trailers.get('x-penstock-cost')[0])).toBeGreaterThan(0);

  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/sized/stream`);
  const answer = await new Promise<{ parameters: Record<string, number> }>((resolve, reject) => {
    socket.once('open', () =>
      socket.send(
        JSON.stringify({
          parameters: { penstock_explain: true },
          inputs: [{ name: 'x', shape: [1, 64], datatype: 'FP32', data: new Array(64).fill(1) }],
        }),
      ),
    );
    socket.once('message', (data) => resolve(JSON.parse(String(data))));
    socket.once('error', reject);
  });
  socket.terminate();
  const { penstock_device_ms: ms = 0, penstock_cost: cost = 0 } = answer.parameters;
  expect(ms).toBeGreaterThan(0);
  expect(Math.abs(cost - (ms / 1e3) * PRICE_PER_SECOND)).toBeLessThanOrEqual(EXACT * cost);
});

it('keeps what an unloaded version has cost', async () => {
  const before = (await costs()).sum('amount_total', { model: 'copied' });
  expect((await gateway.post('/v2/repository/models/copied/unload')).status).toBe(200);
  const { sum } = await costs();
  expect(sum('amount_total', { model: 'copied' })).toBeGreaterThanOrEqual(before);
  expect(sum('conservation_error_ratio')).toBeLessThan(EXACT);
});
