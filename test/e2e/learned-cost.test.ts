import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-e2e-costs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const WARMUP =
  'model_warmup { name: "s" batch_size: 4 inputs { key: "x" value { data_type: TYPE_FP32 dims: 64 random_data: true } } }';
const SLO = 'parameters { key: "penstock.slo_ms" value { string_value: "100" } }';
const BATCHED = 'max_batch_size: 16 dynamic_batching { }';

const costFiles = () => {
  try {
    return readdirSync(join(folder, 'costs')).map((name) => join(folder, 'costs', name));
  } catch {
    return [];
  }
};

/** Starts a gateway, reads the scheduler of its model before anybody asks it for anything, and stops it. */
async function started(config: string, flags: readonly string[] = []) {
  const models = repositoryOf({ mlp: { fixture: 'mlp', config } });
  const gateway = await RunningGateway.start(models, ['--model-cache-dir', folder, ...flags]);
  const { curve } = (await gateway.call('/v2/models/mlp/scheduler')).json();
  expect(await gateway.stop()).toBe(0);
  return { curve, log: gateway.log };
}

describe('the time of executions', () => {
  it('is measured after warm-up, kept, and known at the next start without measuring', async () => {
    const first = await started(`${BATCHED} ${SLO} ${WARMUP}`);
    expect(first.curve.rows).toEqual([1, 2, 4, 8, 16]);
    expect(first.curve.mean_ms[4]).toBeGreaterThan(0);
    expect(costFiles()).toHaveLength(1);
    const second = await started(`${BATCHED} ${SLO}`, ['--cost-sweep-ms', '0']);
    expect(second.curve).toEqual(first.curve);
    const threads = 'parameters { key: "intra_op_thread_count" value { string_value: "2" } }';
    const other = await started(`${BATCHED} ${SLO} ${threads}`, ['--cost-sweep-ms', '0']);
    expect(other.curve).toBeUndefined();
  }, 60_000);

  it.each(['{', '{"from":"something else","text":"{}"}', 'null'])(
    'is learned anew where what was kept is %s',
    async (text) => {
      await started(`${BATCHED} ${SLO} ${WARMUP}`);
      const [file] = costFiles();
      writeFileSync(file as string, text);
      const { curve, log } = await started(`${BATCHED} ${SLO}`, ['--cost-sweep-ms', '0']);
      expect(curve).toBeUndefined();
      expect(log).toMatch(/time of executions cannot be read and is made again/);
      const swept = await started(`${BATCHED} ${SLO} ${WARMUP}`);
      expect(swept.curve.mean_ms[0]).toBeGreaterThan(0);
      expect(JSON.parse(readFileSync(file as string, 'utf8'))).toMatchObject({ from: expect.stringMatching(/^\[1,/) });
    },
    60_000,
  );

  it('is neither measured nor kept for a model without an SLO, unless its config asks for it', async () => {
    expect((await started(`${BATCHED} ${WARMUP}`)).curve).toBeUndefined();
    expect((await started(`${BATCHED} ${SLO} ${WARMUP}`, ['--keep-costs=false'])).curve).toBeDefined();
    expect(costFiles()).toEqual([]);
    const asked = 'parameters { key: "penstock.cost_sweep_ms" value { string_value: "200" } }';
    expect((await started(`${BATCHED} ${asked} ${WARMUP}`)).curve).toBeDefined();
    expect(costFiles()).toHaveLength(1);
  }, 60_000);
});

describe('a deadline on a model without an SLO', () => {
  it('is planned for as soon as the time of executions is known', async () => {
    const config = 'max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ]';
    const gateway = await RunningGateway.start(repositoryOf({ slow: { fixture: 'slow', config } }));
    const ask = (timeoutUs?: number) =>
      gateway.call('/v2/models/slow/infer', {
        body: jsonBody({
          model: 'slow',
          inputs: [
            tensor('x', 'FP32', [1, 1], Float32Array.of(7)),
            tensor('steps', 'INT64', [1, 1], BigInt64Array.of(200n)),
          ],
          ...(timeoutUs === undefined ? {} : { parameters: { timeout: timeoutUs } }),
        }),
      });
    try {
      for (let i = 0; i < 5; i++) expect((await ask()).status).toBe(200);
      const { curve } = (await gateway.call('/v2/models/slow/scheduler')).json();
      const refused = await ask(Math.round(curve.mean_ms[0] * 500));
      expect([refused.status, refused.body.toString()]).toEqual([504, expect.stringMatching(/deadline/i)]);
      expect((await ask(10_000_000)).status).toBe(200);
      const { policy, recent } = (await gateway.call('/v2/models/slow/scheduler')).json();
      expect(policy).toBe('deadlines');
      expect(recent.some(({ kind }: { kind: string }) => kind === 'refuse')).toBe(true);
    } finally {
      await gateway.stop();
    }
  }, 60_000);
});
