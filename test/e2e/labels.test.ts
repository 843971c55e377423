import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway-process.js';
import { ModelFolder } from '../support/model-folder.js';
import { eventually, RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const TOKENS = { rollout: 'pst_rollout_of_this_test', feedback: 'pst_feedback_of_this_test' };
const CONFIG =
  'backend: "script" max_batch_size: 8 version_policy { all {} } instance_group [ { count: 1, kind: KIND_CPU } ]';
const PLAN = `alpha: 0.05
calibration: {executions: 100}
steps:
  - canary: 50
    minSeconds: 600
guards:
  - metric: quality
    feedback: quality
`;
/** Index 3 is the right one for every input, and what a version with a positive factor says. */
const RIGHT = 3;

let folder: string;
let gateway: RunningGateway;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-labels-'));
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const tokens = Object.entries(TOKENS).map(([name, text]) => ({ name, scopes: [name], sha256: sha256(text) }));
  writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify({ tokens }));
  const models = new ModelFolder();
  for (const model of ['labelled', 'gated']) {
    models.write(`${model}/config.pbtxt`, CONFIG);
    models.write(`${model}/1/model.mjs`, scalingModel(1));
    models.write(`${model}/2/model.mjs`, scalingModel(-1));
  }
  gateway = await RunningGateway.start(models, [
    '--admin-port=0',
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    `--state-dir=${join(folder, 'state')}`,
  ]);
});
afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

const admin = async (method: string, path: string, body?: string) => {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/admin/${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKENS.rollout}` },
    ...(body === undefined ? {} : { body }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: as it is shown
  return { status: answer.status, body: (await answer.json()) as any };
};
/** All that was decided of it, in a line. */
const log = async (model: string) => JSON.stringify((await admin('GET', `rollouts/${model}/log`)).body);
const rollout = async (model: string) => (await admin('GET', `rollouts/${model}`)).body;

async function ask(model: string, id: string): Promise<string> {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }];
  const answer = await gateway.post(`/v2/models/${model}/infer`, { id, inputs });
  expect(answer.status).toBe(200);
  return String(answer.headers['x-penstock-version']);
}

const feedback = (items: readonly object[]) =>
  gateway.post('/v2/feedback', items, { authorization: `Bearer ${TOKENS.feedback}` });

describe('labels that come after the answers', () => {
  it('take a candidate back that is fast, sound and wrong', async () => {
    const started = await admin('POST', 'rollouts', `model: labelled\n${PLAN}`);
    expect(started).toMatchObject({ status: 200 });
    let asked = 0;
    const some = async (count: number) => {
      const ids = Array.from({ length: count }, () => `r${asked++}`);
      return Promise.all(ids.map(async (id) => ({ id, version: await ask('labelled', id) })));
    };
    await eventually(async () => {
      await some(16);
      return (await rollout('labelled')).state === 'progressing';
    }, 'the baseline is measured');
    const answered = await some(400);
    expect(new Set(answered.map(({ version }) => version))).toEqual(new Set(['1', '2']));
    expect((await rollout('labelled')).state).toBe('progressing');

    const items = answered.map(({ id }) => ({ id, model: 'labelled', label: RIGHT }));
    expect((await gateway.post('/v2/feedback', items)).status).toBe(401);
    const told = (await feedback(items)).json();
    expect(told).toEqual({ accepted: 400, unknown: 0, duplicate: 0, late: 0, refused: 0, errors: [] });
    expect((await feedback([items[0] as object, { ...items[1], id: 'nobody' }])).json()).toMatchObject({
      duplicate: 1,
      unknown: 1,
    });
    await eventually(async () => (await rollout('labelled')).state === 'rolled-back', 'it is rolled back');
    expect(await log('labelled')).toMatch(/rolling-back.*quality/);
    expect(new Set((await some(50)).map(({ version }) => version))).toEqual(new Set(['1']));

    const ofCandidate = { model: 'labelled', version: '2' };
    const canary = answered.filter(({ version }) => version === '2').length;
    expect(await gateway.metric('penstock_feedback_version_labelled_total', ofCandidate)).toBe(canary);
    expect(await gateway.metric('penstock_feedback_items_total', { outcome: 'joined' })).toBe(400);
    expect(await gateway.metric('penstock_feedback_items_total', { outcome: 'unknown' })).toBe(1);
  }, 90_000);

  it('may come from the command line', () => {
    const lines = `${JSON.stringify({ id: 'x', model: 'labelled', correct: true })}\n`;
    const args = [PROGRAM, 'feedback', '--url', gateway.url, '--token', TOKENS.feedback];
    const { status, stdout } = spawnSync(process.execPath, args, { input: lines, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: 'accepted 0, unknown 1, duplicate 0, late 0, refused 0\n',
    });
  }, 60_000);
});

describe('the gates of a plan', () => {
  it('keep a candidate out before it gets a request, and say which case was wrong', async () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }];
    gateway.models.write('gated/golden/right.json', JSON.stringify({ inputs, label: RIGHT }));
    const plan = `model: gated\ngates: {golden: {minRight: 0.9}}\n${PLAN}`;
    expect(await admin('POST', 'rollouts', plan)).toMatchObject({ status: 200 });
    await eventually(async () => (await rollout('gated')).state === 'rolled-back', 'it is refused');
    expect(await log('gated')).toMatch(/0 of 1 cases .* first wrong: right\.json: expected class 3, it says 0/);
    expect(await ask('gated', 'after')).toBe('1');
  }, 60_000);
});
