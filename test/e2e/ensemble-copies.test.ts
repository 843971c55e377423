import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnsemble } from '../support/ensembles.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import type { ModelFolder } from '../support/model-folder.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const TOKEN = 'pst_copies';
const INTS = (name: string) => `{ name: "${name}" data_type: TYPE_INT32 dims: [ 16 ] }`;
const IO = `max_batch_size: 8 version_policy { all {} } input [ ${INTS('a')}, ${INTS('b')} ] output [ ${INTS('twice')} ]`;
const SHADOW = 'default: 1\nshadows:\n  - { name: to-2, to: 2, percent: 100 }\n';
const ALL = 'version_policy { all {} }';
const NUMBER = (name: string) => `{ name: "${name}" data_type: TYPE_INT32 dims: [ 1 ] }`;
const SEQUENCES = `backend: "script" max_batch_size: 4 ${ALL}
  input [ ${NUMBER('INPUT')} ] output [ ${NUMBER('OUTPUT')} ]
  sequence_batching { direct { } control_input [
    { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
    { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } ] } ] }`;
const DECOUPLED = `backend: "script" model_transaction_policy { decoupled: true } max_batch_size: 0 ${ALL}
  input [ { name: "mode" data_type: TYPE_STRING dims: [ 1 ] }, { name: "count" data_type: TYPE_INT32 dims: [ 1 ] optional: true } ]`;

let models: ModelFolder;
let gateway: RunningGateway;

beforeAll(async () => {
  models = repositoryOf({
    sums: { fixture: 'add_two', config: 'max_batch_size: 8' },
    watched: {
      fixture: { 1: 'add_two', 2: 'add_two' },
      config: `max_batch_size: 8 ${ALL}`,
      files: { 'routes.yaml': SHADOW },
    },
    by_row: { fixture: { 1: 'accumulator.mjs', 2: 'accumulator.mjs' }, config: SEQUENCES },
    responses: { fixture: { 1: 'responses.mjs', 2: 'responses.mjs' }, config: DECOUPLED },
    refused: {
      fixture: { 1: 'responses.mjs', 2: 'responses.mjs' },
      config: DECOUPLED,
      files: { 'routes.yaml': SHADOW },
    },
  });
  const twice = (model: string) => [
    { model, in: { INPUT0: 'a', INPUT1: 'b' }, out: { OUTPUT0: 'sum', OUTPUT1: 'difference' } },
    { model, in: { INPUT0: 'sum', INPUT1: 'difference' }, out: { OUTPUT0: 'twice' } },
  ];
  writeEnsemble(models, 'copied', IO, twice('sums'));
  writeEnsemble(models, 'over', IO, twice('watched'));
  writeEnsemble(models, 'nested', IO, [
    { model: 'copied', in: { a: 'a', b: 'b' }, out: { twice: 'mid' } },
    { model: 'sums', in: { INPUT0: 'mid', INPUT1: 'mid' }, out: { OUTPUT0: 'twice' } },
  ]);
  const sequenced = `max_batch_size: 4 ${ALL} input [ ${NUMBER('INPUT')} ] output [ ${NUMBER('OUTPUT')} ]`;
  writeEnsemble(models, 'stateful', sequenced, [
    { model: 'by_row', in: { INPUT: 'INPUT' }, out: { OUTPUT: 'OUTPUT' } },
  ]);
  for (const name of ['copied', 'nested', 'stateful']) models.write(`${name}/2/.keep`, '');
  for (const name of ['copied', 'nested', 'stateful']) models.write(`${name}/routes.yaml`, SHADOW);
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  models.write('.tokens.yaml', JSON.stringify({ tokens: [{ name: 'ops', scopes: ['admin', 'rollout'], sha256 }] }));
  gateway = await RunningGateway.start(models, [
    '--admin-port=0',
    `--tokens-file=${models.path}/.tokens.yaml`,
    '--model-control-mode=explicit',
    '--load-model=*',
    '--exit-on-error=false',
    '--log-error=false',
    '--log-warning=false',
  ]);
}, 60_000);

afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
});

const a = Int32Array.from({ length: 16 }, (_, i) => 3 * i);
const b = Int32Array.from({ length: 16 }, (_, i) => i + 1);

async function ask(model: string): Promise<readonly number[]> {
  const inputs = [tensor('a', 'INT32', [1, 16], a), tensor('b', 'INT32', [1, 16], b)];
  const answer = await gateway.call(`/v2/models/${model}/infer`, { body: jsonBody({ model, inputs }) });
  expect(answer.status, answer.body.toString()).toBe(200);
  return answer.json().outputs[0].data;
}

async function copies(model: string): Promise<Record<string, number>> {
  const outcomes = ['agreed', 'differed', 'failed', 'dropped'];
  const of = (outcome: string) => gateway.metric('penstock_shadow_requests_total', { model, version: '2', outcome });
  const counts = await Promise.all(outcomes.map(of));
  return Object.fromEntries(outcomes.map((outcome, i) => [outcome, counts[i] ?? 0]));
}

/** Once as many copies as these have an outcome. */
async function settled(model: string, count: number): Promise<Record<string, number>> {
  let counts: Record<string, number> = {};
  await eventually(async () => {
    counts = await copies(model);
    return Object.values(counts).reduce((sum, one) => sum + one, 0) === count;
  }, `the outcome of ${count} copies of ${model}`);
  return counts;
}

async function served(model: string): Promise<number> {
  const { model_stats: stats } = (await gateway.call(`/v2/models/${model}/stats`)).json();
  return stats.reduce((sum: number, one: { inference_count: number }) => sum + one.inference_count, 0);
}

async function admin(method: string, path: string, body: string) {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/yaml' },
    body,
  });
  return { status: answer.status, text: await answer.text() };
}

describe('copies of an ensemble', () => {
  it.each([
    ['copied', 2],
    ['nested', 3],
  ])('are answered by its steps in spare time, apart from their requests: %s', async (model, steps) => {
    const before = await served('sums');
    const rounds = 12;
    for (let i = 0; i < rounds; i++)
      expect((await ask(model)).slice(0, 2)).toEqual(model === 'copied' ? [0, 6] : [0, 12]);
    const counts = await settled(model, rounds);
    expect(counts).toMatchObject({ differed: 0, failed: 0 });
    expect(counts.agreed).toBeGreaterThan(0);
    expect((await served('sums')) - before).toBe(rounds * steps);
    expect(await gateway.metric('penstock_shadow_device_seconds_total', { model, version: '2' })).toBeGreaterThan(0);
    expect(
      await gateway.metric('penstock_cost_device_seconds_total', { model: 'sums', kind: 'shadow' }),
    ).toBeGreaterThan(0);
  });

  it('of its steps are made as of any request', async () => {
    const rounds = 12;
    for (let i = 0; i < rounds; i++) expect((await ask('over')).slice(0, 2)).toEqual([0, 6]);
    const counts = await settled('watched', 2 * rounds);
    expect(counts).toMatchObject({ differed: 0, failed: 0 });
    expect(counts.agreed).toBeGreaterThan(0);
    expect(await served('watched')).toBe(2 * rounds);
  });
});

describe('copies that cannot be compared', () => {
  const plan = (model: string, step: string, rest = '') => `model: ${model}
steps:
  - ${step}
  - { canary: 20, minSeconds: 600 }
${rest}
guards:
  - metric: error-rate
    maxDifference: 0.5
`;
  const WHY: [string, RegExp][] = [
    ['responses', /version 2 takes none: it is decoupled, and responses that come one by one are not compared/],
    ['by_row', /version 2 takes none: it serves sequences, and a copy of one request would find none/],
    ['stateful', /version 2 takes none: step 0 \(model 'by_row'\) takes none: it serves sequences/],
  ];

  it.each(WHY)('are refused in rollouts of %s, before anything begins', async (model, why) => {
    for (const step of ['{ shadow: 50, requests: 10 }', '{ canary: 10, shadow: 5, minSeconds: 600 }']) {
      const answer = await admin('POST', '/v2/admin/rollouts', plan(model, step));
      expect(answer.status, answer.text).toBe(400);
      expect(answer.text).toMatch(/steps\[0\]: copies cannot be compared/);
      expect(answer.text).toMatch(why);
    }
    const after = await admin(
      'POST',
      '/v2/admin/rollouts',
      plan(model, '{ canary: 10, minSeconds: 600 }', 'keepShadowing: { percent: 5, seconds: 60 }'),
    );
    expect(after.text).toMatch(/keepShadowing: copies cannot be compared/);
    const listed = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/admin/rollouts`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(await listed.text()).not.toContain(`"${model}"`);
  });

  it.each(WHY)('are refused in routes of %s that an operator sets, with the line', async (model, why) => {
    const answer = await admin('PUT', `/v2/admin/routes/${model}`, SHADOW);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.text).toMatch(/routes:3: shadows\[0\]\.to: version 2 takes no copies of requests/);
    expect(answer.text).toMatch(new RegExp(why.source.replace('version 2 takes none: ', '')));
  });

  it('refuse the load of a model whose routes file asks for them', async () => {
    const answer = await gateway.call('/v2/repository/models/refused/load', { method: 'POST', body: '{}' });
    expect(answer.status).toBe(400);
    expect(answer.json().error).toMatch(
      /routes\.yaml:3: shadows\[0\]\.to: version 2 takes no copies of requests: it is decoupled/,
    );
  });

  it('are left out where what the models are is known by their publication alone, and shown so', async () => {
    const answer = await admin('GET', '/v2/admin/routes/stateful', undefined as never);
    expect(JSON.parse(answer.text).leftOut).toEqual([
      expect.stringMatching(/^shadow 'to-2' \(it takes no copies: step 0 \(model 'by_row'\) takes none/),
    ]);
  });
});
