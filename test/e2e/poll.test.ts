import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, placeVersion, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const ALL = 'backend: "script" max_batch_size: 8 version_policy { all {} }';
const PLAN = `start: on-new-version
alpha: 0.05
timeLimits: {stepSeconds: 600, totalSeconds: 1200}
inconclusive: rollback
steps:
  - canary: 20
    minSeconds: 500
guards:
  - metric: error-rate
    maxDifference: 0.1
`;

let gateway: RunningGateway;

beforeAll(async () => {
  const models = repositoryOf({ released: { fixture: { 3: 'releases.js' }, config: ALL } });
  models.write('scaled/1/model.js', scalingModel(1));
  models.write('scaled/config.pbtxt', ALL);
  gateway = await RunningGateway.start(models, ['--model-control-mode=poll', '--repository-poll-secs=1']);
});

afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
});

const body = jsonBody({ model: '', inputs: [tensor('x', 'FP32', [1, 4], Float32Array.of(1, 1, 1, 1))] });
const ask = (model: string) => gateway.call(`/v2/models/${model}/infer`, { body });
const version = async (model: string) => (await ask(model)).headers['x-penstock-version'];

it('serves a version that comes, without a failed request and without opening the others anew', async () => {
  let [failed, going] = [0, true];
  const load = (async () => {
    while (going) if ((await ask('scaled')).status !== 200) failed++;
  })();
  const inferences = async () =>
    (await gateway.call('/v2/models/scaled/versions/1/stats')).json().model_stats[0].inference_count as number;
  await eventually(async () => (await inferences()) > 20, 'requests at version 1');
  gateway.models.write('scaled/2/model.js', scalingModel(2));
  await eventually(async () => (await version('scaled')) === '2', 'version 2 answers');
  going = false;
  await load;
  expect(failed).toBe(0);
  expect((await ask('scaled')).json().outputs[0].data).toEqual([2, 2, 2, 2]);
  // A version that is loaded again begins its statistics anew.
  expect(await inferences()).toBeGreaterThan(20);
});

it('keeps what serves where a version that comes is broken, and says why', async () => {
  gateway.models.write('scaled/3/model.js', 'this is no program');
  const third = async () =>
    ((await gateway.post('/v2/repository/index')).json() as { version?: string; reason?: string }[]).find(
      (row) => row.version === '3' && row.reason !== undefined,
    );
  await eventually(async () => (await third()) !== undefined, 'the index tells of version 3');
  expect((await third())?.reason).toContain('the script cannot be loaded');
  expect(await version('scaled')).toBe('2');
  gateway.models.remove('scaled/3');
});

it('serves models that come and lets go of those that went', async () => {
  gateway.models.write('late/1/model.js', scalingModel(5));
  await eventually(async () => (await ask('late')).status === 200, 'the model that came');
  gateway.models.remove('late');
  await eventually(async () => (await ask('late')).status === 404, 'the model that went');
});

it('takes new routes over, and starts the rollout of a version that comes under a plan', async () => {
  gateway.models.write('scaled/routes.yaml', 'default: 1\n');
  await eventually(async () => (await version('scaled')) === '1', 'the routes beside the model');
  gateway.models.write('released/rollout.yaml', PLAN);
  placeVersion(gateway.models, 'released', 4, 'releases.js');
  await eventually(
    async () => /penstock_rollout_canary_ratio\{[^}]*released/.test(await gateway.scrape()),
    'the rollout',
  );
  const split = await Promise.all(Array.from({ length: 40 }, () => version('released')));
  expect(split.filter((one) => one === '3').length).toBeGreaterThan(20);
});

it('refuses loads by request', async () => {
  const answer = await gateway.post('/v2/repository/models/scaled/load');
  expect([answer.status, answer.json().error]).toEqual([501, expect.stringContaining("'poll'")]);
});
