import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnsemble } from '../support/ensembles.js';
import { InferForms, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seriesOf } from '../support/scraped-series.js';

const KEPT = 'response_cache { enable: true }';
const FP32 = (name: string) => `{ name: "${name}" data_type: TYPE_FP32 dims: [ 4 ] }`;

let gateway: RunningGateway;
let forms: InferForms;

beforeAll(async () => {
  const models = repositoryOf({
    kept: {
      fixture: { 1: 'identity_fixed', 2: 'identity_fixed' },
      config: `max_batch_size: 8 ${KEPT} version_policy { all {} }`,
    },
    plain: { fixture: 'identity_fixed', config: 'max_batch_size: 8' },
    two: { fixture: 'add_two', config: `max_batch_size: 8 ${KEPT}` },
    text: { fixture: 'identity_bytes', config: `max_batch_size: 8 ${KEPT}` },
    loaded: { fixture: 'identity_fixed', config: `max_batch_size: 8 ${KEPT}` },
    slow: {
      fixture: 'slow',
      config:
        'max_batch_size: 1 dynamic_batching {} parameters { key: "penstock.coalesce" value { string_value: "true" } }',
    },
  });
  writeEnsemble(models, 'whole', `max_batch_size: 8 ${KEPT} input [ ${FP32('in')} ] output [ ${FP32('out')} ]`, [
    { model: 'plain', in: { INPUT0: 'in' }, out: { OUTPUT0: 'out' } },
  ]);
  gateway = await RunningGateway.start(models, [
    '--cache-config=local,size=1048576',
    '--model-control-mode=explicit',
    '--load-model=*',
  ]);
  forms = new InferForms(gateway);
}, 60_000);

afterAll(async () => {
  await forms?.close();
  expect(await gateway?.stop()).toBe(0);
});

const request = (model: string, value: number, more: Partial<NeutralRequest> = {}): NeutralRequest => ({
  model,
  inputs: [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(value, 2, 3, 4))],
  ...more,
});
const infer = (of: NeutralRequest, headers = {}) =>
  gateway.call(
    of.version === undefined ? `/v2/models/${of.model}/infer` : `/v2/models/${of.model}/versions/${of.version}/infer`,
    {
      body: jsonBody(of),
      headers,
    },
  );
const statistics = async (model: string) => {
  const { model_stats: all } = (await gateway.call(`/v2/models/${model}/stats`)).json();
  const { inference_count: rows, execution_count: runs, inference_stats: stats } = all.at(-1);
  const count = (name: string) => stats[name].count as number;
  return {
    rows,
    runs,
    success: count('success'),
    queue: count('queue'),
    infer: count('compute_infer'),
    hits: count('cache_hit'),
    misses: count('cache_miss'),
  };
};
const figure = async (name: string, model?: string) =>
  seriesOf(await gateway.scrape())
    .filter((series) => series.name === name && (model === undefined || series.labels.model === model))
    .reduce((sum, { value }) => sum + value, 0);

describe('a model with a response cache', { timeout: 60_000 }, () => {
  it('answers a request again without computing it, over every form, and counts it as Triton does', async () => {
    for (const form of forms.all) {
      const answer = await form.send(request('kept', 1, { id: '7' }));
      if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
      expect([answer.id, answer.version], form.name).toEqual(['7', '2']);
      expect(Buffer.from(answer.outputs[0]?.data ?? [])).toEqual(
        Buffer.from(request('', 1).inputs[0]?.data as Uint8Array),
      );
    }
    const sent = forms.all.length;
    expect(await statistics('kept')).toEqual({
      rows: 1,
      runs: 1,
      success: sent,
      queue: sent,
      infer: 1,
      hits: sent - 1,
      misses: 1,
    });
    expect(await figure('nv_cache_num_hits_per_model', 'kept')).toBe(sent - 1);
    expect(await figure('nv_cache_num_misses_per_model', 'kept')).toBe(1);
    expect(await figure('nv_inference_request_success', 'kept')).toBe(sent);
    expect(await figure('nv_inference_count', 'kept')).toBe(1);
  });

  it('takes other bytes, other shapes and another version for another request', async () => {
    const before = await statistics('kept');
    await infer(request('kept', 7));
    const both = tensor('INPUT0', 'FP32', [2, 4], Float32Array.of(7, 2, 3, 4, 7, 2, 3, 4));
    await infer({ model: 'kept', inputs: [both] });
    expect((await infer(request('kept', 7, { version: '1' }))).json().model_version).toBe('1');
    const after = await statistics('kept');
    expect([after.misses - before.misses, after.hits - before.hits]).toEqual([2, 0]);
    expect((await infer({ model: 'kept', inputs: [both] })).json().outputs[0].shape).toEqual([2, 4]);
    expect((await statistics('kept')).hits - before.hits).toBe(1);
  });

  it('gives the outputs that are asked for, whatever was asked for when they were computed', async () => {
    const ints = Int32Array.from({ length: 16 }, (_, i) => i);
    const inputs = [tensor('INPUT0', 'INT32', [1, 16], ints), tensor('INPUT1', 'INT32', [1, 16], ints)];
    const ask = async (...names: string[]) => {
      const answer = await infer({ model: 'two', inputs, outputs: names.map((name) => ({ name })) });
      return answer.json().outputs.map(({ name, data }: { name: string; data: number[] }) => [name, data[1]]);
    };
    expect(await ask('OUTPUT1')).toEqual([['OUTPUT1', 0]]);
    expect(await ask('OUTPUT0')).toEqual([['OUTPUT0', 2]]);
    expect(await ask('OUTPUT1', 'OUTPUT0')).toEqual([
      ['OUTPUT1', 0],
      ['OUTPUT0', 2],
    ]);
    expect(await statistics('two')).toMatchObject({ hits: 2, misses: 1 });
  });

  it('says that an answer was kept, and that it cost nothing', async () => {
    const explained = request('kept', 8, { parameters: { penstock_explain: true } });
    expect((await infer(explained)).json().parameters.penstock_reused).toBeUndefined();
    expect((await infer(explained)).json().parameters).toMatchObject({
      penstock_reused: 'cached',
      penstock_device_ms: 0,
    });
  });

  it('books cached answers to nobody', async () => {
    await infer(request('kept', 9));
    const before = await figure('penstock_cost_requests_total', 'kept');
    await infer(request('kept', 9));
    expect(await figure('penstock_cost_requests_total', 'kept')).toBe(before);
  });

  it('keeps text, and answers of ensembles', async () => {
    const text = { model: 'text', inputs: [tensor('INPUT0', 'BYTES', [1, 2], ['a', 'grüße'])] };
    for (let i = 0; i < 2; i++) expect((await infer(text)).json().outputs[0].data).toEqual(['a', 'grüße']);
    expect(await statistics('text')).toMatchObject({ hits: 1, misses: 1 });
    const whole = { model: 'whole', inputs: [tensor('in', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4))] };
    for (let i = 0; i < 2; i++) expect((await infer(whole)).json().outputs[0].data).toEqual([1, 2, 3, 4]);
    expect(await statistics('plain')).toMatchObject({ success: 1, hits: 0, misses: 0 });
  });

  it('forgets its answers when it is loaded again, and all with it when it goes', async () => {
    await infer(request('loaded', 1));
    await gateway.call('/v2/repository/models/loaded/load', { method: 'POST', body: '{}' });
    await infer(request('loaded', 1));
    expect(await statistics('loaded')).toMatchObject({ hits: 0, misses: 1, runs: 1 });
    const entries = await figure('penstock_response_cache_entries');
    await gateway.call('/v2/repository/models/loaded/unload', { method: 'POST', body: '{}' });
    expect(await figure('penstock_response_cache_entries')).toBe(entries - 1);
  });

  it('holds no more bytes than it may', async () => {
    const text = (i: number) => ({
      model: 'text',
      inputs: [tensor('INPUT0', 'BYTES', [1, 1], [`${i}`.repeat(50_000)])],
    });
    for (let i = 10; i < 40; i++) expect((await infer(text(i))).status).toBe(200);
    expect(await figure('penstock_response_cache_bytes')).toBeLessThanOrEqual(1048576);
    expect(await figure('penstock_response_cache_max_bytes')).toBe(1048576);
    expect(await figure('penstock_response_cache_evictions_total')).toBeGreaterThan(10);
  });
});

describe('identical requests in flight', { timeout: 60_000 }, () => {
  const slow = (value: number): NeutralRequest => ({
    model: 'slow',
    inputs: [
      tensor('x', 'FP32', [1, 1], Float32Array.of(value)),
      tensor('steps', 'INT64', [1, 1], BigInt64Array.of(3000n)),
    ],
  });

  it('are computed once', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => infer(slow(7))));
    for (const answer of answers) expect(answer.json().outputs[0].data).toEqual([7]);
    expect(await figure('penstock_coalesced_requests_total', 'slow')).toBe(5);
    expect(await statistics('slow')).toMatchObject({ success: 6, rows: 1, runs: 1 });
  });

  it('have each its own deadline', async () => {
    const first = infer(slow(8));
    const [late, patient] = await Promise.all([infer(slow(8), { 'x-request-timeout-ms': '50' }), infer(slow(8))]);
    expect(late.status).toBe(504);
    expect([patient.json().outputs[0].data, (await first).json().outputs[0].data]).toEqual([[8], [8]]);
  });
});

it('a model with a cache on a server without one serves, and the log says so', async () => {
  const models = repositoryOf({ kept: { fixture: 'identity_fixed', config: `max_batch_size: 8 ${KEPT}` } });
  const without = await RunningGateway.start(models, []);
  try {
    const send = () => without.call('/v2/models/kept/infer', { body: jsonBody(request('kept', 1)) });
    expect([(await send()).status, (await send()).status]).toEqual([200, 200]);
    expect((await without.call('/v2/models/kept/stats')).json().model_stats[0].execution_count).toBe(2);
    expect(without.log).toMatch(/response_cache is enabled but the server has no cache/);
  } finally {
    expect(await without.stop()).toBe(0);
  }
}, 60_000);
