import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway-process.js';
import { listening, type ReceivedRequest, receiverOf } from '../support/received-requests.js';
import { eventually, placeVersion, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { SteadyLoad } from '../support/steady-load.js';

const TOKEN = 'pst_rollouts_of_this_test';
const SECRET = 'a secret of at least twenty-four bytes';
const GUARDS = `guards:
  - metric: error-rate
    maxDifference: 0.1
  - metric: shadow-agreement
    min: 0.7
`;
/** Only where the candidate is slow: on a busy machine two versions alike may be found unlike. */
const OF_TIME = `guards:
  - metric: error-rate
    maxDifference: 0.1
  - metric: latency
    quantile: 0.9
    maxDifference: 0.2
    maxRatio: 3
`;
const PLAN = `alpha: 0.05
calibration: {executions: 200}
timeLimits: {stepSeconds: 600, totalSeconds: 1200}
inconclusive: rollback
steps:
  - shadow: 50
    requests: 50
  - canary: 20
    minSeconds: 1
  - canary: 60
    minSeconds: 1
${GUARDS}`;

const STANDING = `start: on-new-version\n${PLAN}`;

let folder: string;
let gateway: RunningGateway;
let receiver: Server;
const received: ReceivedRequest[] = [];

const model = (versions: readonly number[], files: Record<string, string> = {}) => ({
  fixture: Object.fromEntries(versions.map((version) => [version, 'releases.js'])),
  config: 'backend: "script" max_batch_size: 8 dynamic_batching {} version_policy { all {} }',
  files,
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-rollouts-'));
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(
    join(folder, 'tokens.yaml'),
    JSON.stringify({ tokens: [{ name: 'ann', scopes: ['rollout'], sha256 }] }),
  );
  writeFileSync(join(folder, 'secret'), SECRET);
  receiver = receiverOf((request) => received.push(request));
  const url = `${await listening(receiver)}hook`;
  const hooks = [{ name: 'ops', url, secretFile: join(folder, 'secret') }];
  writeFileSync(join(folder, 'penstock.yaml'), JSON.stringify({ webhooks: hooks }));
  gateway = await RunningGateway.start(
    repositoryOf({
      good: model([3, 4]),
      failing: model([3, 5]),
      slow: model([3, 6]),
      numberless: model([3, 7]),
      sticky: model([3, 4]),
      gitops: model([3], { 'rollout.yaml': STANDING }),
      together: model([3]),
    }),
    flags(),
  );
});

afterAll(async () => {
  await gateway.stop();
  await new Promise((resolve) => receiver.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

function flags(): string[] {
  return [
    '--admin-port=0',
    '--model-control-mode=explicit',
    '--load-model=*',
    `--config=${join(folder, 'penstock.yaml')}`,
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    `--state-dir=${join(folder, 'state')}`,
    '--log-warning=false',
    '--log-info=false',
    '--log-error=false',
  ];
}

/** The program as an operator runs it. */
function penstock(
  ...words: string[]
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const env = { ...process.env, PENSTOCK_TOKEN: TOKEN, PENSTOCK_ADMIN_URL: `http://127.0.0.1:${gateway.adminPort}` };
  const child = spawn(process.execPath, [PROGRAM, ...words], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

async function status(id: string) {
  const url = `http://127.0.0.1:${gateway.adminPort}/v2/admin/rollouts/${id}`;
  // biome-ignore lint/suspicious/noExplicitAny: as it is shown
  return (await (await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } })).json()) as any;
}

function plan(name: string, text = PLAN): string {
  writeFileSync(join(folder, `${name}.yaml`), `model: ${name}\n${text}`);
  return `${name}.yaml`;
}

/** Starts the rollout of a model and follows it to its end under load; what came of both. */
async function roll(name: string, text = PLAN) {
  const load = new SteadyLoad(() => gateway, name, 16);
  const started = await penstock('rollout', 'start', plan(name, text));
  expect(started).toMatchObject({ code: 0, err: '' });
  const watched = await penstock('rollout', 'watch', name, '--interval', '0.2');
  const backMs = Date.now();
  await eventually(() => load.answers.length > 0 && load.answers.at(-1)!.sentMs > backMs + 300, 'some more requests');
  await load.stop();
  return { load, watched, backMs };
}

describe('a rollout under real traffic', () => {
  it('gives everything to a candidate as good as the baseline, loses no request, and can be accounted for', async () => {
    const { load, watched, backMs } = await roll('good');
    expect(watched.code, watched.out + watched.err).toBe(0);
    expect(watched.out).toMatch(
      /started.*baseline measured.*shadowing.*progressing.*progressing.*promoting.*promoted/s,
    );
    expect([load.lost, load.answers.filter(({ status }) => status !== 200)]).toEqual([0, []]);
    expect(load.answers.every(({ id, top }) => top === id % 4)).toBe(true);
    expect(new Set(load.answers.filter(({ sentMs }) => sentMs > backMs).map(({ version }) => version))).toEqual(
      new Set(['4']),
    );

    expect(
      await penstock('rollout', 'report', 'good', '--out', 'r.json', '--markdown', 'r.md', '--html', 'r.html'),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'r.md'), 'utf8')).toMatch(
      /^# Rollout good-v4: promoted\n[\s\S]*\| error-rate \| pass \|/,
    );
    const html = readFileSync(join(folder, 'r.html'), 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(4);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(await penstock('rollout', 'replay', 'r.json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('is the same'),
    });
    writeFileSync(
      join(folder, 'forged.json'),
      readFileSync(join(folder, 'r.json'), 'utf8').replaceAll('"verdict": "pass"', '"verdict": "fail"'),
    );
    expect(await penstock('rollout', 'replay', 'forged.json')).toMatchObject({
      code: 1,
      out: expect.stringContaining('differs: line'),
    });
  }, 90_000);

  it.each([
    ['failing', '5', 'guard-failed', /guard (error-rate|shadow-agreement-top) fail/],
    ['slow', '6', 'guard-failed', /guard latency-p90 fail/],
    ['numberless', '7', 'hard-limit', /not a finite number/],
  ])(
    'takes everything back from a candidate that is %s, at once and for good',
    async (name, version, code, why) => {
      const { load, watched, backMs } = await roll(name, name === 'slow' ? PLAN.replace(GUARDS, OF_TIME) : PLAN);
      expect(watched.code, watched.out + watched.err).toBe(5);
      expect(watched.out).toMatch(why);
      const canary = load.answers.filter((answer) => answer.version === version);
      const after = load.answers.filter(({ sentMs }) => sentMs > backMs);
      expect(new Set(after.map((answer) => answer.version))).toEqual(new Set(['3']));
      expect(load.lost).toBe(0);
      expect(load.answers.filter(({ status, version: of }) => status !== 200 && of === '3')).toEqual([]);
      if (name === 'numberless') expect(canary.length).toBeLessThan(load.answers.length);
      const { state, guards } = await status(name);
      expect(['rolling-back', 'rolled-back']).toContain(state);
      expect(guards).toHaveLength(2);
      await eventually(
        () => received.some(({ body }) => body.includes(`"id":"${name}-v${version}"`) && body.includes(code)),
        'the webhook is told',
      );
      const { headers, body } = received.at(-1)!;
      const signed = createHmac('sha256', SECRET).update(
        `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`,
      );
      expect(headers['webhook-signature']).toBe(`v1,${signed.digest('base64')}`);
      expect(JSON.parse(body)).toMatchObject({ specversion: '1.0', type: 'io.penstock.rollout.moved.v1' });
    },
    90_000,
  );

  it.each([
    ['gitops', 'when a version appears'],
    ['together', 'where the plan comes along with the version'],
  ])(
    'starts by itself (%s) %s, which gets nothing before',
    async (name) => {
      const load = new SteadyLoad(() => gateway, name, 16);
      gateway.models.write(`${name}/rollout.yaml`, STANDING);
      placeVersion(gateway.models, name, 4, 'releases.js');
      expect((await gateway.post(`/v2/repository/models/${name}/load`)).status).toBe(200);
      const { watched } = { watched: await penstock('rollout', 'watch', name, '--interval', '0.2') };
      await load.stop();
      expect(watched.code, watched.out + watched.err).toBe(0);
      expect(watched.out).toContain('by the plan beside the model');
      const first = load.answers.findIndex(({ version }) => version === '4');
      const canaryAt = Date.parse(/^(\S+) progressing/m.exec(watched.out)![1]!);
      expect(load.answers[first]!.sentMs).toBeGreaterThan(canaryAt - 250);
      expect(load.answers.filter(({ status }) => status !== 200)).toEqual([]);
      // Another one that comes meets the version that was promoted.
      expect(await status(name)).toMatchObject({ state: 'promoted', defaultVersion: 4 });
    },
    90_000,
  );

  it('keeps a caller on its side, goes on after a kill, and is given up by an operator', async () => {
    // Narrower than anything that can be proven here.
    const narrow = 'guards:\n  - {metric: error-rate, maxRatio: 1.001, maxDifference: 0.00001}\n';
    const text = PLAN.replace(GUARDS, narrow)
      .replace('steps:', 'key: {from: header, name: x-user}\nsteps:')
      .replace('minSeconds: 1', 'minSeconds: 500');
    const load = new SteadyLoad(
      () => gateway,
      'sticky',
      16,
      (id) => `user ${id % 50}`,
    );
    await penstock('rollout', 'start', plan('sticky', text));
    await eventually(async () => (await status('sticky')).state === 'progressing', 'the canary', 30_000, 200);
    const before = load.answers.length;
    await eventually(() => load.answers.length > before + 1500, 'requests under the canary', 20_000);
    const sides = new Map<number, Set<string>>();
    const canary = load.answers.filter(({ route }) => route === 'sticky-v4').slice(-1000);
    for (const { id, version } of canary) sides.set(id % 50, (sides.get(id % 50) ?? new Set()).add(version));
    expect([...sides.values()].every((versions) => versions.size === 1)).toBe(true);
    expect(new Set([...sides.values()].flatMap((versions) => [...versions]))).toEqual(new Set(['3', '4']));
    await load.stop();

    process.kill(gateway.pid, 'SIGKILL');
    await gateway.exited;
    gateway = await RunningGateway.start(gateway.models, flags());
    expect(await status('sticky')).toMatchObject({ state: 'progressing', step: 1, canaryPercent: 20 });
    const again = new SteadyLoad(
      () => gateway,
      'sticky',
      8,
      (id) => `user ${id % 50}`,
    );
    await eventually(() => again.answers.length > 500, 'requests after the kill');
    for (const { id, version } of again.answers) expect(sides.get(id % 50)?.has(version) ?? true).toBe(true);
    expect((await penstock('rollout', 'pause', 'sticky')).out).toContain('paused by ann');
    expect(await penstock('rollout', 'watch', 'sticky', '--stop-at-pause')).toMatchObject({ code: 6 });
    expect(await penstock('rollout', 'promote', 'sticky')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not proven yet'),
    });
    expect(await penstock('rollout', 'abort', 'sticky')).toMatchObject({ code: 0 });
    const abortedMs = Date.now();
    await eventually(() => again.answers.at(-1)!.sentMs > abortedMs + 200, 'requests after the abort');
    await again.stop();
    expect(new Set(again.answers.filter(({ sentMs }) => sentMs > abortedMs).map(({ version }) => version))).toEqual(
      new Set(['3']),
    );
    expect(await penstock('rollout', 'replay', 'sticky')).toMatchObject({ code: 0 });
  }, 90_000);

  it('refuses plans that cannot be, with the line, and calls without a right', async () => {
    const refused = async (text: string) => {
      writeFileSync(join(folder, 'bad.yaml'), text);
      return penstock('rollout', 'start', 'bad.yaml');
    };
    expect(await refused(`model: good\ncandidate: 9\n${PLAN}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/bad.yaml:2: candidate: version 9 is not served; served: 3, 4/),
    });
    expect(await refused(`model: god\n${PLAN}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("bad.yaml:1: model: nobody has a model 'god'"),
    });
    expect(await refused(`model: good\nnotify: [opps]\n${PLAN}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("bad.yaml:2: notify[0]: the server has no webhook 'opps', did you mean 'ops'?"),
    });
    expect(await refused('model: good')).toMatchObject({ code: 2 });
    const url = `http://127.0.0.1:${gateway.adminPort}/v2/admin/rollouts`;
    expect((await fetch(url, { method: 'POST', body: PLAN })).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: 'Bearer pst_wrong' } })).status).toBe(403);
  }, 60_000);
});
