import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoggedEntry } from '../../src/delivery/index.js';
import { PROGRAM } from '../support/gateway-process.js';
import { ModelFolder } from '../support/model-folder.js';
import { eventually, RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const TOKEN = 'pst_labels_over_kills_of_this_test';
const CONFIG =
  'backend: "script" max_batch_size: 8 version_policy { all {} } instance_group [ { count: 1, kind: KIND_CPU } ]';
const PLAN = `model: m
alpha: 0.05
calibration: {executions: 100}
steps: [{canary: 50, minSeconds: 600}]
guards: [{metric: quality, feedback: quality}]
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-label-restarts-'));
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  const scopes = ['rollout', 'feedback'];
  writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify({ tokens: [{ name: 'ann', scopes, sha256 }] }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A quality-guarded rollout of a model whose second version is wrong, and the labels of its requests. */
class Labelled {
  readonly #flags = [
    '--admin-port=0',
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    `--state-dir=${join(folder, 'state')}`,
    '--log-error=false',
  ];
  #gateway: RunningGateway | undefined;
  #asked = 0;

  get gateway(): RunningGateway {
    return this.#gateway as RunningGateway;
  }

  async start(): Promise<void> {
    const models = new ModelFolder();
    models.write('m/config.pbtxt', CONFIG);
    models.write('m/1/model.mjs', scalingModel(1));
    models.write('m/2/model.mjs', scalingModel(-1));
    this.#gateway = await RunningGateway.start(models, this.#flags);
    await this.admin('rollouts', PLAN);
    await eventually(async () => {
      await this.ask(16);
      return (await this.rollout()).state === 'progressing';
    }, 'the baseline is measured');
  }

  async kill(): Promise<void> {
    process.kill(this.gateway.pid, 'SIGKILL');
    await this.gateway.exited;
    this.#gateway = await RunningGateway.start(this.gateway.models, this.#flags);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as it is shown
  async admin(path: string, body?: string): Promise<any> {
    const answer = await fetch(`http://127.0.0.1:${this.gateway.adminPort}/v2/admin/${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    return answer.json();
  }

  rollout() {
    return this.admin('rollouts/m');
  }

  async log(): Promise<readonly LoggedEntry[]> {
    return (await this.admin('rollouts/m/log?most=10000')).lines;
  }

  /** Ids of so many requests that were answered. */
  ask(count: number): Promise<string[]> {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }];
    const ids = Array.from({ length: count }, () => `r${this.#asked++}`);
    return Promise.all(
      ids.map(async (id) => {
        expect((await this.gateway.post('/v2/models/m/infer', { id, inputs })).status).toBe(200);
        return id;
      }),
    );
  }

  async tell(ids: readonly string[], said: object) {
    const items = ids.map((id) => ({ id, model: 'm', ...said }));
    return (await this.gateway.post('/v2/feedback', items, { authorization: `Bearer ${TOKEN}` })).json();
  }

  written(): Promise<void> {
    const written = async () => (await this.gateway.metric('penstock_feedback_unwritten')) === 0;
    return eventually(written, 'all joins are in the state file');
  }

  /** Labels in observations that are kept. */
  async counted(): Promise<number> {
    let labels = 0;
    for (const { entry } of await this.log()) {
      const quality = entry.kind === 'observed' ? entry.observation.feedback.quality : undefined;
      labels += (quality?.baseline.labels ?? 0) + (quality?.candidate.labels ?? 0);
    }
    return labels;
  }
}

describe('labels that come after a kill', () => {
  it('join with predictions of before, each counts once, and the wrong candidate goes', async () => {
    const labelled = new Labelled();
    await labelled.start();
    try {
      const ids = await labelled.ask(400);
      const whole = { accepted: 15, unknown: 0, duplicate: 0, late: 0, refused: 0, errors: [] };
      expect(await labelled.tell(ids.slice(0, 15), { correct: true })).toEqual(whole);
      await eventually(async () => (await labelled.counted()) === 15, 'the first labels are counted');
      // These are joined and, by chance of the moment, in no observation that is kept.
      expect(await labelled.tell(ids.slice(15, 30), { correct: true })).toEqual(whole);
      expect(await labelled.tell(['r-later'], { correct: true })).toMatchObject({ unknown: 1 });
      await labelled.written();
      await labelled.kill();

      expect(await labelled.tell(ids.slice(0, 30), { correct: true })).toMatchObject({ accepted: 0, duplicate: 30 });
      expect(await labelled.tell(['r-later'], { correct: true })).toMatchObject({ duplicate: 1 });
      expect(await labelled.tell(ids.slice(30, 45), { correct: true })).toEqual(whole);
      await eventually(async () => (await labelled.counted()) === 45, 'each label is counted once');
      await labelled.written();
      await labelled.kill();
      expect(await labelled.counted()).toBe(45);
      expect((await labelled.rollout()).state).toBe('progressing');

      expect(await labelled.tell(ids.slice(45), { label: 3 })).toMatchObject({ accepted: 355, unknown: 0 });
      await eventually(async () => (await labelled.rollout()).state === 'rolled-back', 'it is rolled back');
      expect(await labelled.counted()).toBe(400);
      expect(JSON.stringify(await labelled.log())).toMatch(/rolling-back.*quality/);
      const url = `http://127.0.0.1:${labelled.gateway.adminPort}`;
      const { status, stdout } = spawnSync(process.execPath, [PROGRAM, 'rollout', 'replay', 'm', '--url', url], {
        encoding: 'utf8',
        env: { ...process.env, PENSTOCK_TOKEN: TOKEN },
      });
      expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('rolled-back') });
    } finally {
      await labelled.gateway.stop();
    }
  }, 120_000);
});
