import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { InferForms, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, exampleRepository, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const shadowsTo = (...versions: number[]) =>
  `default: 1\nshadows:\n${versions.map((to) => `  - { name: to-${to}, to: ${to}, percent: 100 }\n`).join('')}`;
const SLOW = 'max_batch_size: 1 version_policy { all {} } instance_group [ { count: 1 kind: KIND_CPU } ]';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  const running = gateway;
  gateway = undefined;
  expect((await running?.stop()) ?? 0).toBe(0);
});

async function serve(
  models: Parameters<typeof repositoryOf>[0],
  flags: readonly string[] = [],
): Promise<RunningGateway> {
  const folder = repositoryOf(models);
  gateway = await RunningGateway.start(folder, [...flags, '--admin-token-file', join(folder.path, '.token')]);
  return gateway;
}

/** Copies of a version by what became of them. */
async function copies(one: RunningGateway, version: number, model = 'm'): Promise<Record<string, number>> {
  const outcomes = ['agreed', 'differed', 'failed', 'dropped'];
  const counts = await Promise.all(
    outcomes.map((outcome) =>
      one.metric('penstock_shadow_requests_total', { model, version: String(version), outcome }),
    ),
  );
  return Object.fromEntries(outcomes.map((outcome, i) => [outcome, counts[i] ?? 0]));
}

const all = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Once as many copies as these have an outcome. */
async function settledCopies(one: RunningGateway, version: number, count: number, model?: string) {
  let counts: Record<string, number> = {};
  const told = async () => {
    counts = await copies(one, version, model);
    return all(counts) === count;
  };
  await eventually(told, `the outcome of ${count} copies`);
  return counts;
}

async function statistics(one: RunningGateway, version: number) {
  const answer = await one.call(`/v2/models/m/versions/${version}/stats`);
  const { inference_count, execution_count, inference_stats } = answer.json().model_stats[0];
  return [inference_count, execution_count, Number(inference_stats.success.count)];
}

const slow = (steps: bigint): NeutralRequest => ({
  model: 'm',
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
});

describe('copies for a candidate', () => {
  it('are made of answers over every protocol, and are counted apart from requests', async () => {
    const fixture = { 1: 'identity_fixed', 2: 'identity_fixed', 3: 'mlp' };
    const files = { 'routes.yaml': shadowsTo(2, 3) };
    const one = await serve({ m: { fixture, config: 'version_policy { all {} }', files } });
    const forms = new InferForms(one);
    let answered = 0;
    for (let round = 0; round < 3; round++) {
      for (const form of forms.all) {
        const values = Float32Array.of(round, answered, 3, 4);
        const answer = await form.send({ model: 'm', inputs: [tensor('INPUT0', 'FP32', [1, 4], values)] });
        expect(answer).toMatchObject({ ok: true, version: '1' });
        answered++;
      }
    }
    // What is refused is not copied, nor what names its version.
    await one.call('/v2/models/m/infer', { body: '{"inputs":[]}' });
    await one.call('/v2/models/m/versions/1/infer', {
      body: jsonBody({ model: 'm', inputs: [tensor('INPUT0', 'FP32', [1, 4], new Float32Array(4))] }),
    });
    const agreed = await settledCopies(one, 2, answered);
    expect(agreed).toMatchObject({ differed: 0, failed: 0 });
    expect(agreed.agreed).toBeGreaterThan(answered / 2);
    expect(await settledCopies(one, 3, answered)).toMatchObject({ agreed: 0, differed: 0, failed: answered });
    expect(await one.metric('penstock_shadow_device_seconds_total', { version: '2' })).toBeGreaterThan(0);
    expect(await statistics(one, 1)).toEqual([answered + 1, expect.any(Number), answered + 1]);
    expect(await statistics(one, 2)).toEqual([0, 0, 0]);
    expect(await one.metric('penstock_requests_total', { version: '2', outcome: 'success' })).toBe(0);
    await forms.close();
  });

  it('say where two models differ', async () => {
    const folder = exampleRepository();
    folder.write('digits/routes.yaml', shadowsTo(2));
    gateway = await RunningGateway.start(folder);
    const one = gateway;
    for (let i = 0; i < 30; i++) {
      const pixels = Float32Array.from({ length: 64 }, (_, at) => (at * 7 + i * 13) % 17);
      const inputs = [tensor('pixels', 'FP32', [1, 64], pixels)];
      const answer = await one.call('/v2/models/digits/infer', { body: jsonBody({ model: 'digits', inputs }) });
      expect(answer.status).toBe(200);
    }
    const counts = await settledCopies(one, 2, 30, 'digits');
    expect(counts.failed).toBe(0);
    expect(counts.differed).toBeGreaterThan(0);
  });

  it('give way to a request that needs their instance, and hold up no shutdown', async () => {
    const files = { 'routes.yaml': shadowsTo(2) };
    const one = await serve({ m: { fixture: { 1: 'slow', 2: 'slow' }, config: SLOW, files } });
    const ask = async (path: string, steps: bigint) => {
      const begun = performance.now();
      const answer = await one.call(path, { body: jsonBody(slow(steps)) });
      expect(answer.json().outputs[0].data).toEqual([7]);
      return performance.now() - begun;
    };
    const longMs = await ask('/v2/models/m/infer', 5000n);
    const shortMs = await ask('/v2/models/m/versions/2/infer', 1n);
    expect(shortMs).toBeLessThan(longMs / 2);
    expect(await settledCopies(one, 2, 1)).toMatchObject({ dropped: 1 });
    expect(await statistics(one, 2)).toEqual([1, 1, 1]);
    await ask('/v2/models/m/infer', 5000n);
    const begun = performance.now();
    gateway = undefined;
    expect(await one.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(longMs + 5000);
  }, 60_000);

  it('are dropped where their candidate is unloaded meanwhile', async () => {
    const files = { 'routes.yaml': shadowsTo(2) };
    const mode = ['--model-control-mode', 'explicit', '--load-model', 'm'];
    const one = await serve({ m: { fixture: { 1: 'slow', 2: 'slow' }, config: SLOW, files } }, mode);
    const ask = () => one.call('/v2/models/m/infer', { body: jsonBody(slow(3000n)) });
    expect((await ask()).status).toBe(200);
    expect((await one.post('/v2/repository/models/m/unload')).status).toBe(200);
    expect((await one.post('/v2/repository/models/m/load')).status).toBe(200);
    expect((await ask()).status).toBe(200);
    await eventually(async () => all(await copies(one, 2)) > 0, 'the outcome of a copy');
  }, 60_000);
});
