import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RolloutStatus } from '../../src/core/index.js';
import { type LoggedEntry, replay } from '../../src/delivery/index.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seeded } from '../support/seeded-random.js';
import { SteadyLoad } from '../support/steady-load.js';

const TOKEN = 'pst_kills_of_this_test';
const KILLS = Number(process.env.PENSTOCK_KILLS ?? 5);
/** How long after a move was logged requests may still go the way before it: the turn that committed it. */
const TURN_MS = 1000;

const plan = (candidate: number) => `model: m
candidate: ${candidate}
baseline: 3
alpha: 0.05
calibration: {executions: 100}
inconclusive: rollback
steps: [{shadow: 50, requests: 20}, {canary: 10}, {canary: 30, minSeconds: 1}, {canary: 60, minSeconds: 1}]
guards: [{metric: error-rate, maxDifference: 0.2}]
`;

let folder: string;
let gateway: RunningGateway;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-kills-'));
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(
    join(folder, 'tokens.yaml'),
    JSON.stringify({ tokens: [{ name: 'ann', scopes: ['rollout'], sha256 }] }),
  );
  gateway = await RunningGateway.start(
    repositoryOf({
      m: {
        fixture: { 3: 'releases.js', 4: 'releases.js', 5: 'releases.js' },
        config: 'backend: "script" max_batch_size: 8 dynamic_batching {} version_policy { all {} }',
      },
    }),
    flags(),
  );
});

afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

function flags(): string[] {
  return [
    '--admin-port=0',
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    `--state-dir=${join(folder, 'state')}`,
    '--log-error=false',
  ];
}

async function admin<T>(path: string, body?: string): Promise<T> {
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/admin/${path}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(text);
  return JSON.parse(text) as T;
}

const list = async () => (await admin<{ rollouts: readonly RolloutStatus[] }>('rollouts')).rollouts;
const logOf = async (id: string) =>
  (await admin<{ lines: readonly LoggedEntry[] }>(`rollouts/${id}/log?most=10000`)).lines;

/** Stretches of time in which a log says that the candidate answered requests. */
function canaryTimes(log: readonly LoggedEntry[]): [fromMs: number, toMs: number][] {
  const times: [number, number][] = [];
  for (const { atMs, entry } of log) {
    if (entry.kind !== 'moved') continue;
    const open = times.at(-1);
    const answers = (entry.split?.canaryBuckets ?? 0) > 0 || entry.defaultVersion !== 3;
    if (answers && open?.[1] !== Number.POSITIVE_INFINITY) times.push([atMs, Number.POSITIVE_INFINITY]);
    else if (!answers && open !== undefined) open[1] = Math.min(open[1], atMs);
  }
  return times;
}

describe('a gateway that is killed in the middle of rollouts', () => {
  it('comes back to the last committed table, with a log that the traffic agrees with', async () => {
    const random = seeded(20);
    const load = new SteadyLoad(() => gateway, 'm', 8);
    let candidate = 4;
    for (let kill = 0; kill < KILLS; kill++) {
      const running = (await list()).find(({ state }) => state !== 'promoted' && state !== 'rolled-back');
      if (running === undefined) {
        await admin('rollouts', plan(candidate));
        candidate = 9 - candidate;
      }
      await new Promise((resolve) => setTimeout(resolve, 200 + random() * 3000));
      process.kill(gateway.pid, 'SIGKILL');
      await gateway.exited;
      gateway = await RunningGateway.start(gateway.models, flags());
      for (const { id } of await list()) expect(replay(await logOf(id)).differences).toEqual([]);
    }
    const done = async () => (await list()).every(({ state }) => state === 'promoted' || state === 'rolled-back');
    await eventually(done, 'every rollout ends', 90_000, 250);
    await load.stop();
    const rollouts = await list();
    for (const { id, candidate: version, state } of rollouts) {
      expect(state, id).toBe(version === 4 ? 'promoted' : 'rolled-back');
      const times = canaryTimes(await logOf(id));
      const answers = load.answers.filter((answer) => answer.route === id && answer.version === String(version));
      for (const { sentMs, atMs } of answers)
        expect(
          times.some(([from, to]) => atMs >= from && sentMs <= to + TURN_MS),
          `${id}: ${sentMs} to ${atMs} in ${times}`,
        ).toBe(true);
    }
    const failed = load.answers.filter(({ status, version }) => status !== 200 && version === '3');
    expect(failed.filter(({ status }) => status !== 503)).toEqual([]);
    expect(load.answers.every(({ id, top }) => top === undefined || top === id % 4)).toBe(true);
  }, 400_000);
});
