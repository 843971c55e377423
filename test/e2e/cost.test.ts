import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CostReport } from '../../src/core/index.js';
import { cliRun } from '../support/cli-run.js';
import { InferForms, tensor } from '../support/infer-forms.js';
import type { ModelFolder } from '../support/model-folder.js';
import { expectAddsUp } from '../support/printed-costs.js';
import { listening, receiverOf } from '../support/received-requests.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { SteadyLoad } from '../support/steady-load.js';

const TOKEN = 'pst_the-token-of-the-test';
/** How often costs are written. */
const EVERY_SECS = 1;
const PRICE = 7.2;
/** Copies first, then a third of the requests, and stays there. */
const PLAN = `model: released
timeLimits: {stepSeconds: 600, totalSeconds: 1200}
calibration: {executions: 100}
steps:
  - shadow: 50
    requests: 50
  - canary: 33
    minSeconds: 500
guards:
  - metric: error-rate
    maxDifference: 0.1
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-cost-'));
  writeFileSync(join(folder, 'token'), TOKEN);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function flags(name: string, config: object): string[] {
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(config));
  return [
    `--config=${join(folder, `${name}.yaml`)}`,
    `--state-dir=${join(folder, name)}`,
    '--admin-port=0',
    `--admin-token-file=${join(folder, 'token')}`,
  ];
}

const infer = (gateway: RunningGateway, model: string, tenant = '') =>
  gateway.post(
    `/v2/models/${model}/infer`,
    { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] },
    tenant === '' ? {} : { 'x-penstock-tenant': tenant },
  );

async function live(gateway: RunningGateway, query = 'group=model,kind'): Promise<CostReport> {
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/cost?${query}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  expect(reply.status).toBe(200);
  return (await reply.json()) as CostReport;
}

const elapsed = ({ devices }: CostReport) => devices.find(({ device }) => device === 'cpu')?.elapsedSeconds ?? 0;
const requestsOf = ({ rows }: CostReport, model: string) =>
  rows.filter((row) => row.model === model && row.kind === 'direct').reduce((sum, { requests }) => sum + requests, 0);

function expectConserved(report: CostReport): void {
  const priced = (elapsed(report) / 3600) * PRICE;
  const lines = report.rows.reduce((sum, { amount }) => sum + amount, 0);
  expect(Math.abs(lines - priced)).toBeLessThanOrEqual(1e-9 * priced);
  expect(report.conservationError).toBeLessThanOrEqual(1e-9);
}

describe('costs of a gateway', () => {
  let models: ModelFolder;
  beforeAll(() => {
    models = repositoryOf({ one: 'identity_fp32', two: 'identity_fp32' });
  });
  afterAll(() => models.remove());

  it('add up to price times uptime over a kill, a restart and an orderly end, and nothing is there twice', async () => {
    const config = { cost: { devices: { cpu: { market: PRICE } }, rollups: { everySecs: EVERY_SECS } } };
    const given = flags('state', config);
    const first = await RunningGateway.start(models, given);
    for (let i = 0; i < 40; i++) expect((await infer(first, i % 2 === 0 ? 'one' : 'two')).status).toBe(200);
    const loaded = elapsed(await live(first));
    // Two writes have come since the last request.
    await eventually(async () => elapsed(await live(first)) > loaded + 2.2 * EVERY_SECS, 'time passes');
    const before = await live(first);
    expectConserved(before);
    expect([requestsOf(before, 'one'), requestsOf(before, 'two')]).toEqual([20, 20]);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;

    const left = await offline('state');
    expectConserved(left);
    expect([requestsOf(left, 'one'), requestsOf(left, 'two')]).toEqual([20, 20]);
    expect(elapsed(left)).toBeGreaterThan(elapsed(before) - 2 * EVERY_SECS);
    expect(elapsed(left)).toBeLessThan(elapsed(before) + 2);

    const second = await RunningGateway.start(models, given);
    for (let i = 0; i < 10; i++) expect((await infer(second, 'one')).status).toBe(200);
    const both = await live(second);
    expectConserved(both);
    expect([requestsOf(both, 'one'), requestsOf(both, 'two')]).toEqual([30, 20]);
    expect(elapsed(both)).toBeGreaterThan(elapsed(left));
    for (let i = 0; i < 7; i++) expect((await infer(second, 'two')).status).toBe(200);
    const last = await live(second);
    process.kill(second.pid, 'SIGTERM');
    const stopped = performance.now();
    await second.exited;

    const whole = await offline('state');
    expectConserved(whole);
    expect([requestsOf(whole, 'one'), requestsOf(whole, 'two')]).toEqual([30, 27]);
    expect(elapsed(whole)).toBeGreaterThanOrEqual(elapsed(last));
    expect(elapsed(whole)).toBeLessThan(elapsed(last) + (performance.now() - stopped) / 1000 + 1);
    expect(whole.batching.actualSeconds).toBeGreaterThan(0);
  }, 60_000);

  it('are counted in memory only where nothing has a price, and no file is made for them', async () => {
    const gateway = await RunningGateway.start(repositoryOf({ one: 'identity_fp32' }), [
      '--admin-port=0',
      `--admin-token-file=${join(folder, 'token')}`,
    ]);
    await infer(gateway, 'one');
    const report = await live(gateway);
    expect([report.unpriced, report.total.amount, requestsOf(report, 'one')]).toEqual([true, 0, 1]);
    expect(report.total.deviceSeconds).toBeGreaterThan(0);
    const asked = `cost --url http://127.0.0.1:${gateway.adminPort} --token`;
    expect((await cliRun(`${asked} ${TOKEN}`)).out).toMatch(
      /no price is configured \(cost\.devices\), so only time is told/,
    );
    expect(await cliRun(`${asked} wrong-token`)).toMatchObject({ code: 1, err: expect.stringMatching(/token/) });
    await gateway.stop();
  }, 60_000);

  it('add up in print while a rollout copies requests and tries its candidate', async () => {
    const released = repositoryOf({
      released: {
        fixture: { 3: 'releases.js', 4: 'releases.js' },
        config: 'backend: "script" max_batch_size: 8 dynamic_batching {} version_policy { all {} }',
      },
      one: 'identity_fp32',
    });
    const gateway = await RunningGateway.start(
      released,
      flags('rollout', { cost: { devices: { cpu: { market: PRICE } } } }),
    );
    const admin = `--url http://127.0.0.1:${gateway.adminPort} --token-file ${join(folder, 'token')}`;
    writeFileSync(join(folder, 'plan.yaml'), PLAN);
    expect(await cliRun(`rollout start plan.yaml ${admin}`, folder)).toMatchObject({ code: 0, err: '' });
    const load = new SteadyLoad(() => gateway, 'released', 16);
    const kinds = async () => new Set((await live(gateway)).rows.map(({ kind }) => kind));
    await eventually(async () => (await kinds()).has('canary'), 'the candidate is tried', 40_000, 200);
    for (let i = 0; i < 5; i++) await infer(gateway, 'one', 'team');
    const { code, out } = await cliRun(`cost --group model,version,tenant ${admin}`);
    expect(code).toBe(0);
    expect(expectAddsUp(out)).toEqual(expect.arrayContaining(['DIRECT', 'CANARY', 'SHADOW', 'IDLE']));
    expect(out).toMatch(/^shadowing cost [\d.]+ USD \([\d.]+ %\)$/m);
    expect(out).toMatch(/^the canary cost [\d.]+ USD \([\d.]+ %\)$/m);
    const report = await live(gateway, 'group=model,kind');
    expectConserved(report);
    const candidate = (await live(gateway, 'group=kind,version')).rows.filter(({ kind }) => kind === 'canary');
    expect(candidate.map(({ model, version }) => [model, version])).toEqual([['released', 4]]);
    await load.stop();
    expect([load.lost, load.answers.filter(({ status }) => status !== 200)]).toEqual([0, []]);
    await gateway.stop();
  }, 90_000);

  async function offline(name: string): Promise<CostReport> {
    const { code, out, err } = await cliRun(`cost --json --group model,kind --state-dir ${join(folder, name)}`);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out) as CostReport;
  }
});

describe('a budget that is used up', () => {
  let gateway: RunningGateway;
  let models: ModelFolder;
  let forms: InferForms;
  let receiver: Server;
  const notices: { type: string; data: Record<string, unknown> }[] = [];
  let given: string[];

  beforeAll(async () => {
    receiver = receiverOf(({ body }) => notices.push(JSON.parse(body)));
    const url = await listening(receiver);
    const cost = {
      devices: { cpu: { market: 1e6 } },
      rollups: { everySecs: EVERY_SECS },
      budgets: [
        { name: 'spent', model: 'spent', amount: 1e-6, per: 'month', action: 'refuse', alertAt: [0.5] },
        { name: 'rich', model: 'rich', amount: 1e9, action: 'refuse' },
        { name: 'poor', tenant: 'poor', amount: 1e-6, action: 'refuse', notify: [] },
      ],
    };
    given = flags('budgets', { cost, webhooks: [{ name: 'ops', url }] });
    models = repositoryOf({ spent: 'identity_fp32', rich: 'identity_fp32' });
    gateway = await RunningGateway.start(models, given);
    forms = new InferForms(gateway);
  }, 60_000);
  afterAll(async () => {
    await forms?.close();
    await gateway?.stop();
    receiver?.close();
  });

  const ask = (model: string) => ({ model, inputs: [tensor('INPUT0', 'FP32', [1, 2], Float32Array.of(1, 2))] });

  it('refuses on every protocol, of its model alone, and says until when', async () => {
    await eventually(async () => (await infer(gateway, 'spent')).status === 429, 'the budget is used up');
    for (const form of forms.all) {
      const answer = await form.send(ask('spent'));
      expect(answer, form.name).toMatchObject({
        ok: false,
        message: expect.stringMatching(/the budget 'spent'.*until/),
      });
      if (!answer.ok && answer.http !== undefined) expect(answer.http, form.name).toBe(429);
      if (!answer.ok && answer.grpc !== undefined) expect(answer.grpc, form.name).toBe(8);
      expect((await form.send(ask('rich'))).ok, form.name).toBe(true);
    }
    const { headers } = await infer(gateway, 'spent');
    const now = new Date();
    const renewsMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
    const retryMs = Number(headers['retry-after']) * 1000;
    expect(Math.abs(renewsMs - Date.now() - retryMs)).toBeLessThan(5000);
  });

  it('refuses the requests of its tenant, whatever the model', async () => {
    await eventually(async () => (await infer(gateway, 'rich', 'poor')).status === 429, 'the budget is used up');
    expect((await infer(gateway, 'rich', 'another')).status).toBe(200);
    expect((await infer(gateway, 'rich')).status).toBe(200);
  });

  it('is told to webhooks, metrics and reports', async () => {
    await eventually(() => notices.length >= 2, 'the webhook is told');
    expect(notices.map(({ type, data }) => [type, data.budget, data.threshold])).toEqual([
      ['io.penstock.budget.used.v1', 'spent', 0.5],
      ['io.penstock.budget.used.v1', 'spent', 1],
    ]);
    expect(notices[1]?.data).toMatchObject({ model: 'spent', refusing: true, amount: 1e-6, per: 'month' });
    expect(await gateway.metric('penstock_budget_refusing', { budget: 'spent' })).toBe(1);
    expect(await gateway.metric('penstock_budget_refusing', { budget: 'rich' })).toBe(0);
    expect(await gateway.metric('penstock_budget_used_ratio', { budget: 'spent' })).toBeGreaterThanOrEqual(1);
    expect(await gateway.metric('penstock_budget_refused_requests_total', { budget: 'spent' })).toBeGreaterThan(5);
    const { budgets } = await live(gateway);
    expect(budgets.map(({ name, refusing }) => [name, refusing])).toEqual([
      ['spent', true],
      ['rich', false],
      ['poor', true],
    ]);
  });

  it('refuses from the first request on after a restart, and does not tell again', async () => {
    await forms.close();
    process.kill(gateway.pid, 'SIGTERM');
    await gateway.exited;
    gateway = await RunningGateway.start(models, given);
    forms = new InferForms(gateway);
    expect((await infer(gateway, 'spent')).status).toBe(429);
    expect((await infer(gateway, 'rich', 'poor')).status).toBe(429);
    expect((await infer(gateway, 'rich')).status).toBe(200);
    expect(notices.filter(({ data }) => data.budget === 'spent')).toHaveLength(2);
  }, 60_000);
});
