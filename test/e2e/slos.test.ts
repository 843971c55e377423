import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cliRun } from '../support/cli-run.js';
import { listening, receiverOf } from '../support/received-requests.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const BESIDE = `
slos:
  - { name: fast, objective: latency, underMs: 60000, targetPercent: 99 }
  - { name: fresh, objective: freshness, maxAgeHours: 1, targetPercent: 99 }
`;

const TOKEN = `pst_${'t'.repeat(40)}`;

let gateway: RunningGateway;
let receiver: Server;
// biome-ignore lint/suspicious/noExplicitAny: an event as it came
const notices: any[] = [];

beforeAll(async () => {
  receiver = receiverOf(
    ({ body }) => notices.push(JSON.parse(body)),
    () => 200,
  );
  const url = await listening(receiver);
  const models = repositoryOf({
    gather: { fixture: 'gather', files: { 'slo.yaml': BESIDE } },
    broken: { fixture: 'corrupt' },
  });
  models.write(
    'penstock.yaml',
    JSON.stringify({
      slos: [
        { name: 'answered', model: 'gather', objective: 'availability', targetPercent: 99, runbook: 'ask the team' },
        { name: 'right', model: 'gather', objective: 'quality', targetPercent: 60 },
        { name: 'there', model: 'broken', objective: 'availability', targetPercent: 99, notify: [] },
      ],
      webhooks: [{ name: 'pager', url }],
    }),
  );
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  models.write('tokens.yaml', JSON.stringify({ tokens: [{ name: 'labels', scopes: ['feedback'], sha256 }] }));
  const loads = [`--tokens-file=${models.path}/tokens.yaml`, '--model-control-mode=explicit', '--load-model=*'];
  gateway = await RunningGateway.start(models, [`--config=${models.path}/penstock.yaml`, ...loads]);
});

afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
  receiver?.closeAllConnections();
  receiver?.close();
});

/** Index 9 fails inside the model. */
async function ask(count: number, index: number, model = 'gather'): Promise<number[]> {
  const body = JSON.stringify({ inputs: [{ name: 'index', shape: [1, 1], datatype: 'INT64', data: [index] }] });
  const answers = await Promise.all(
    Array.from({ length: count }, () => gateway.call(`/v2/models/${model}/infer`, { body })),
  );
  return answers.map(({ status }) => status);
}

// biome-ignore lint/suspicious/noExplicitAny: as the answer has it
const slos = async (): Promise<Record<string, any>> => {
  const { slos: all } = (await gateway.call('/v2/slo')).json();
  return Object.fromEntries(all.map((slo: { name: string }) => [slo.name, slo]));
};

it('counts what was promised of requests, wherever their sockets are', async () => {
  expect(new Set(await ask(30, 1))).toEqual(new Set([200]));
  expect(new Set(await ask(1, 1, 'nobody'))).toEqual(new Set([404]));
  expect((await gateway.call('/v2/models/gather/infer', { body: '{"inputs":[]}' })).status).toBe(400);
  const { answered, 'gather/fast': fast } = await slos();
  expect(answered).toMatchObject({ events: 30, bad: 0, state: 'ok', target: 0.99, error_budget_remaining: 1 });
  expect(fast).toMatchObject({ events: 30, bad: 0, model: 'gather', promise: 'answers take at most 60000 ms' });
  expect(answered.covered_seconds).toBeLessThan(600);
  expect(Object.keys(answered.burn_rates)).toEqual(['5m', '30m', '1h', '2h', '6h', '1d', '3d']);
});

it('a budget that burns is told in the log, to the webhook, in metrics, and on the command line', async () => {
  expect(new Set(await ask(20, 9))).toEqual(new Set([500]));
  await eventually(() => notices.length > 0, 'a notice to the webhook', 20_000);
  const [event] = notices;
  expect(event).toMatchObject({
    specversion: '1.0',
    type: 'io.penstock.slo.moved.v1',
    subject: 'answered',
    data: { slo: 'answered', model: 'gather', from: 'ok', to: 'page', runbook: 'ask the team' },
  });
  const { answered, 'gather/fast': fast } = await slos();
  expect(answered).toMatchObject({ events: 50, bad: 20, state: 'page', runbook: 'ask the team' });
  expect(answered.burn_rates['1h']).toBeCloseTo(40, 5);
  expect(answered.error_budget_remaining).toBeCloseTo(-39, 5);
  // Those that failed were not answered late.
  expect(fast).toMatchObject({ events: 30, bad: 0, state: 'ok' });
  expect(gateway.log).toContain('SLO burns its error budget');
  const metric = (name: string, labels: object) => gateway.metric(name, { slo: 'answered', ...labels });
  expect(await metric('penstock_slo_events_total', {})).toBe(50);
  expect(await metric('penstock_slo_good_total', {})).toBe(30);
  expect(await metric('penstock_slo_burning', { severity: 'page' })).toBe(1);
  expect(await metric('penstock_slo_burn_rate', { window: '6h' })).toBeCloseTo(40, 5);
  const table = await cliRun(`slo status --url ${gateway.url}`);
  expect(table.out).toMatch(/\nanswered +page +99% in 30d +60% +50 +-3900% +40 +40 +40 +40 +requests are answered\n/);
  const { out } = await cliRun(`slo status --json --url ${gateway.url}`);
  expect(JSON.parse(out).slos).toHaveLength(5);
});

it('a model that cannot be served spends its budget with every request for it', async () => {
  expect(new Set(await ask(12, 1, 'broken'))).toEqual(new Set([503]));
  expect((await slos()).there).toMatchObject({ events: 12, bad: 12 });
});

it('feedback on predictions spends the budget of quality, without a rollout', async () => {
  for (const id of ['q1', 'q2', 'q3']) {
    const inputs = [{ name: 'index', shape: [1, 1], datatype: 'INT64', data: [1] }];
    expect((await gateway.post('/v2/models/gather/infer', { id, inputs })).status).toBe(200);
  }
  const items = ['q1', 'q2', 'q3', 'q1', 'never'].map((id) => ({ id, model: 'gather', correct: id !== 'q2' }));
  const report = await gateway.post('/v2/feedback', items, { authorization: `Bearer ${TOKEN}` });
  expect([report.status, report.json().duplicate]).toEqual([200, 1]);
  await eventually(async () => (await slos()).right.events === 3, 'three predictions with feedback');
  expect((await slos()).right).toMatchObject({
    events: 3,
    bad: 1,
    state: 'ok',
    promise: 'predictions are right (quality)',
  });
});

it('counts go on over a reload of the model', async () => {
  const { answered: before } = await slos();
  expect((await gateway.post('/v2/repository/models/gather/load')).status).toBe(200);
  expect(new Set(await ask(5, 1))).toEqual(new Set([200]));
  const { answered, 'gather/fast': fast } = await slos();
  expect([answered.events, fast.events]).toEqual([before.events + 5, before.events - 20 + 5]);
});

it('a file beside a model that cannot be read refuses the load, and the model before it goes on', async () => {
  gateway.models.write('gather/slo.yaml', 'slos:\n  - { name: fast, objective: latency, targetPercent: 99 }\n');
  const refused = await gateway.post('/v2/repository/models/gather/load');
  expect(refused.status).toBe(400);
  expect(refused.body.toString()).toContain(
    "gather/slo.yaml:2: slos[0].underMs: is required for an objective 'latency'",
  );
  expect(await ask(1, 1)).toEqual([200]);
  gateway.models.write('gather/slo.yaml', BESIDE);
});

it('rules for Prometheus are those of the configuration and of the files beside models', async () => {
  const line = `slo rules ${gateway.models.path} --config ${gateway.models.path}/penstock.yaml`;
  const { code, out, err } = await cliRun(line);
  expect(code, err).toBe(0);
  for (const name of ['answered', 'there', 'right', 'gather/fast', 'gather/fresh'])
    expect(out).toContain(`slo: "${name}"`);
  expect((await cliRun(`${line} --output ${gateway.models.path}/rules.yaml`)).out).toBe('');
  expect((await cliRun(`slo rules ${gateway.models.path}/broken`)).code).toBe(1);
  expect((await cliRun(`slo rules --config ${gateway.models.path}/nothing.yaml`)).code).toBe(2);
});
