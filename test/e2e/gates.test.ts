import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway-process.js';
import { ModelFolder } from '../support/model-folder.js';
import { RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

/** Twice the input, as version 1 answers. */
const GOLDEN = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
  expected: [{ name: 'y', datatype: 'FP32', shape: [1, 4], data: [2, 4, 6, 8] }],
});
const CONFIG = 'backend: "script" max_batch_size: 8 instance_group [ { count: 1, kind: KIND_CPU } ]';

function modelsOf(versions: Readonly<Record<number, string>>, gates = ''): ModelFolder {
  const models = new ModelFolder();
  models.write('scores/config.pbtxt', CONFIG);
  models.write('scores/golden/doubled.json', GOLDEN);
  if (gates !== '') models.write('scores/gates.yaml', gates);
  for (const [version, script] of Object.entries(versions)) models.write(`scores/${version}/model.mjs`, script);
  return models;
}

describe('a version that does not pass its golden set', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await RunningGateway.start(modelsOf({ 1: scalingModel(2) }), [
      '--model-control-mode=explicit',
      '--load-model=scores',
    ]);
  });
  afterAll(async () => {
    expect(await gateway?.stop()).toBe(0);
  });

  const answer = async () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 0, 0, 0] }];
    const { model_version, outputs } = (await gateway.post('/v2/models/scores/infer', { inputs })).json();
    return [model_version, outputs[0].data[0]];
  };
  const load = () => gateway.post('/v2/repository/models/scores/load');

  it('is refused with the reason, and the version before it goes on', async () => {
    expect(await answer()).toEqual(['1', 2]);
    gateway.models.write('scores/2/model.mjs', scalingModel(3));
    const refused = await load();
    expect(refused.status).toBe(400);
    expect(refused.json().error).toMatch(
      /version 2: refused by its gates: 0 of 1 cases .* first wrong: doubled.json: its outputs differ: by at most 4.00/,
    );
    expect(await answer()).toEqual(['1', 2]);
    const rows = (await gateway.post('/v2/repository/index')).json() as { version: string; reason?: string }[];
    expect(rows.find((row) => row.version === '2')?.reason).toContain('refused by its gates');
    expect(gateway.log).toMatch(/"right":0.*"golden set"/);
  });

  it('serves once it passes, and what it was asked is not counted as work', async () => {
    gateway.models.write('scores/2/model.mjs', scalingModel(2.0000001));
    expect((await load()).status).toBe(200);
    const { model_stats } = (await gateway.call('/v2/models/scores/stats')).json();
    expect(model_stats).toMatchObject([{ version: '2', inference_count: 0, execution_count: 0 }]);
    expect(await answer()).toEqual(['2', 2]);
  });

  it('is refused where it is slower than the one that serves, with requests going on', async () => {
    gateway.models.write('scores/gates.yaml', 'golden: { runs: 1, limits: { maxLatencyRatio: 3 } }');
    gateway.models.write('scores/3/model.mjs', scalingModel(2, 1500));
    let loading = true;
    const asking = (async () => {
      while (loading) await answer();
    })();
    const refused = await load();
    loading = false;
    await asking;
    expect(refused.json().error).toMatch(/version 3: .* a case takes \d{4} ms, .* ms with version 2, which serves/);
    expect(await answer()).toEqual(['2', 2]);
  });
});

describe('penstock gate', () => {
  const gate = (models: ModelFolder, ...words: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'gate', 'scores', models.path, ...words], {
      encoding: 'utf8',
      cwd: models.path,
    });
    return { status, stdout, stderr };
  };

  it('says beside which figures a version passes, or why not, by its exit code', () => {
    const models = modelsOf(
      { 1: scalingModel(2), 2: scalingModel(2), 3: scalingModel(3) },
      'golden: { limits: { maxRightLoss: 0 } }',
    );
    const good = gate(models, '--version=2', '--baseline=1', '--json');
    expect(good.status).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({
      version: 2,
      passed: true,
      golden: { candidate: { version: 2, cases: 1, right: 1 }, serving: { version: 1, right: 1 } },
    });
    const bad = gate(models, '--version=3', '--baseline=1');
    expect(bad.status).toBe(1);
    expect(bad.stdout).toMatch(/scores version 3: is refused\n {2}- 0 of 1 cases/);
    const strict = gate(models, '--version=2', '--require-model-card');
    expect([strict.status, strict.stdout]).toEqual([1, expect.stringContaining('it has no model card')]);
    expect(gate(models, '--version=9')).toMatchObject({ status: 1, stdout: expect.stringContaining('is refused') });
    models.remove();
  }, 90_000);
});
