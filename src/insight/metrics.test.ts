import { describe, expect, it } from 'vitest';
import { type LatencyBreakdown, REASONS } from '../core/index.js';
import { createMetrics } from './index.js';

const ID = { model: 'digits', version: 2 };
const LATENCY: LatencyBreakdown = {
  decodeNs: 1_000,
  queueNs: 40_000,
  gatherNs: 2_000,
  dispatchNs: 3_000,
  computeNs: 90_000,
  scatterNs: 5_000,
  encodeNs: 6_000,
};

function setup(wallMs = () => 1234) {
  const metrics = createMetrics({ processMetrics: false, wallMs });
  return { metrics, version: metrics.version(ID) };
}

/** The samples of a family by their labels, as the scrape shows them. */
async function samples(metrics: { scrape(): Promise<string> }, name: string): Promise<Record<string, number>> {
  const lines = (await metrics.scrape()).split('\n').filter((line) => line.startsWith(`${name}{`) || line === name);
  return Object.fromEntries(
    lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

describe('statistics', () => {
  it("grow as Triton's: requests by request, batches by execution, inferences by row", () => {
    const { metrics, version } = setup();
    // Two requests of 1 and 8 rows in one execution (metrics.md: request count 2, inference count 9, execution count 1).
    version.executed(9, 2_000, 93_000, 5_000, 0.25);
    version.succeeded(1, LATENCY, 150_000);
    version.succeeded(8, LATENCY, 160_000);
    version.failed('QUEUE_FULL', 7_000);
    version.failed('BACKEND_FAILED', 3_000);
    expect(metrics.statistics(ID)).toEqual({
      id: ID,
      lastInferenceMs: 1234,
      inferenceCount: 9,
      executionCount: 1,
      success: { count: 2, ns: 310_000 },
      fail: { count: 2, ns: 10_000 },
      queue: { count: 2, ns: 80_000 },
      computeInput: { count: 2, ns: 4_000 },
      computeInfer: { count: 2, ns: 186_000 },
      computeOutput: { count: 2, ns: 10_000 },
      cacheHit: { count: 0, ns: 0 },
      cacheMiss: { count: 0, ns: 0 },
      responses: [],
      batches: [
        {
          rows: 9,
          computeInput: { count: 1, ns: 2_000 },
          computeInfer: { count: 1, ns: 93_000 },
          computeOutput: { count: 1, ns: 5_000 },
        },
      ],
    });
  });

  it('list batch sizes in ascending order, however many there are', () => {
    const { metrics, version } = setup();
    for (let rows = 40; rows >= 1; rows--) for (let i = 0; i < rows; i++) version.executed(rows, 1, 2, 3, 0);
    const batches = metrics.statistics(ID)?.batches ?? [];
    expect(batches.map((batch) => batch.rows)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(batches.map((batch) => batch.computeInfer.count)).toEqual(batches.map((batch) => batch.rows));
    expect(batches[39]?.computeOutput.ns).toBe(120);
  });

  it('are unknown for a version that never served, and all zero before its first request', () => {
    const { metrics } = setup();
    expect(metrics.statistics({ model: 'digits', version: 3 })).toBeUndefined();
    expect(metrics.statistics(ID)).toMatchObject({ lastInferenceMs: 0, inferenceCount: 0, batches: [] });
  });

  it('begin anew with a reload, while the counters go on', async () => {
    const { metrics, version } = setup();
    version.executed(4, 1, 1, 1, 0);
    version.succeeded(4, LATENCY, 100);
    metrics.restartStatistics(ID);
    expect(metrics.version(ID)).toBe(version);
    expect(metrics.statistics(ID)).toMatchObject({
      lastInferenceMs: 0,
      inferenceCount: 0,
      executionCount: 0,
      batches: [],
    });
    version.executed(2, 10, 20, 30, 0);
    version.succeeded(2, LATENCY, 100);
    expect(metrics.statistics(ID)).toMatchObject({
      inferenceCount: 2,
      executionCount: 1,
      queue: { count: 1, ns: 40_000 },
    });
    expect(metrics.statistics(ID)?.batches.map((batch) => batch.rows)).toEqual([2]);
    expect(Object.values(await samples(metrics, 'nv_inference_count'))).toEqual([6]);
  });
});

describe('the scrape', () => {
  it('counts requests by outcome and reason', async () => {
    const { metrics, version } = setup();
    version.succeeded(1, LATENCY, 1);
    for (const reason of REASONS) version.failed(reason, 1);
    version.failed('QUEUE_FULL', 1);
    metrics.refused('MODEL_NOT_FOUND');
    const requests = await samples(metrics, 'penstock_requests_total');
    expect(requests['{model="digits",version="2",outcome="success",reason="OK"}']).toBe(1);
    expect(requests['{model="digits",version="2",outcome="failure",reason="QUEUE_FULL"}']).toBe(2);
    expect(Object.keys(requests).length).toBe(REASONS.length + 1);
    expect(await samples(metrics, 'penstock_refused_requests_total')).toEqual({ '{reason="MODEL_NOT_FOUND"}': 1 });
  });

  it('puts durations into the bucket that holds them, in seconds', async () => {
    const { metrics, version } = setup();
    for (const queueNs of [0, 5_000, 5_001, 10_000, 999_999_999, 1e9, 1e10, 1e10 + 1, 1e15, -5, Number.NaN]) {
      version.succeeded(1, { ...LATENCY, queueNs }, 1);
    }
    const buckets = await samples(metrics, 'penstock_request_stage_duration_seconds_bucket');
    const below = (le: string) => buckets[`{model="digits",version="2",stage="queue",le="${le}"}`];
    expect(['0.000005', '0.00001', '0.5', '1', '5', '10', '+Inf'].map(below)).toEqual([4, 6, 6, 8, 8, 9, 11]);
    const sums = await samples(metrics, 'penstock_request_stage_duration_seconds_sum');
    expect(sums['{model="digits",version="2",stage="compute"}']).toBeCloseTo(11 * 90e-6, 9);
  });

  it('finds the same bucket as a search over the bounds would', async () => {
    const { metrics, version } = setup();
    const seconds = Array.from({ length: 3000 }, (_, i) => 1e-7 * 1.007 ** i).filter((s) => s < 1e3);
    for (const s of seconds) version.succeeded(1, { ...LATENCY, decodeNs: s * 1e9 }, 1);
    const buckets = await samples(metrics, 'penstock_request_stage_duration_seconds_bucket');
    let checked = 0;
    for (const [labels, value] of Object.entries(buckets)) {
      if (!labels.includes('"decode"')) continue;
      const le = /le="([^"]+)"/.exec(labels)?.[1] as string;
      const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      expect(value).toBe(seconds.filter((s) => s * 1e9 <= bound * 1e9).length);
      checked++;
    }
    expect(checked).toBe(21);
  });

  it('shows rows per execution, depth, state and providers', async () => {
    const { metrics, version } = setup();
    for (const rows of [1, 3, 4, 2000]) version.executed(rows, 1, 1, 1, 0);
    version.setQueueDepth(7);
    metrics.setVersionInfo(ID, {
      state: 'impaired',
      providers: { CUDAExecutionProvider: 0.75, CPUExecutionProvider: 0.25 },
      carriers: () => [{ device: 'cpu:0', carrier: 'thread', why: 'runs are long', runUs: 900 }],
    });
    const rows = await samples(metrics, 'penstock_batch_rows_bucket');
    expect(Object.values(rows)).toEqual([1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
    expect(Object.values(await samples(metrics, 'penstock_batch_rows_sum'))).toEqual([2008]);
    expect(Object.values(await samples(metrics, 'penstock_queue_depth'))).toEqual([7]);
    expect(Object.values(await samples(metrics, 'penstock_model_ready'))).toEqual([0]);
    expect(Object.keys(await samples(metrics, 'penstock_model_state'))[0]).toContain('state="impaired"');
    expect(Object.values(await samples(metrics, 'penstock_model_provider_ratio'))).toEqual([0.75, 0.25]);
    expect(await samples(metrics, 'penstock_model_carrier')).toEqual({
      '{model="digits",version="2",device="cpu:0",carrier="thread"}': 1,
    });
  });

  it("has Triton's metrics under Triton's names, labels and units", async () => {
    const { metrics, version } = setup();
    version.executed(9, 2_000, 93_000, 5_000, 0.25);
    version.succeeded(1, LATENCY, 150_000);
    version.succeeded(8, LATENCY, 160_000);
    version.failed('QUEUE_FULL', 1);
    version.failed('DEADLINE_EXCEEDED', 1);
    version.failed('CLIENT_CANCELLED', 1);
    version.failed('INTERNAL', 1);
    version.setQueueDepth(3);
    const expected = {
      nv_inference_request_success: 2,
      nv_inference_count: 9,
      nv_inference_exec_count: 1,
      nv_inference_request_duration_us: 310,
      nv_inference_queue_duration_us: 80,
      nv_inference_compute_input_duration_us: 4,
      nv_inference_compute_infer_duration_us: 186,
      nv_inference_compute_output_duration_us: 10,
      nv_inference_pending_request_count: 3,
    };
    for (const [name, value] of Object.entries(expected)) {
      expect([name, await samples(metrics, name)]).toEqual([name, { '{model="digits",version="2"}': value }]);
    }
    expect(await samples(metrics, 'nv_inference_request_failure')).toEqual({
      '{model="digits",version="2",reason="REJECTED"}': 2,
      '{model="digits",version="2",reason="CANCELED"}': 1,
      '{model="digits",version="2",reason="BACKEND"}': 0,
      '{model="digits",version="2",reason="OTHER"}': 1,
    });
  });

  it('forgets a version that was unloaded', async () => {
    const { metrics, version } = setup();
    metrics.setVersionInfo(ID, { providers: {} });
    metrics.retire(ID);
    version.succeeded(1, LATENCY, 1);
    expect(await metrics.scrape()).not.toContain('digits');
    expect(metrics.statistics(ID)).toBeUndefined();
  });

  it('names and describes every metric of our own as Prometheus asks', async () => {
    const { metrics, version } = setup();
    version.succeeded(1, LATENCY, 1);
    const text = await metrics.scrape();
    const types = [...text.matchAll(/^# TYPE (penstock_\S+) (\S+)$/gm)];
    expect(types.length).toBeGreaterThan(8);
    for (const [, name, type] of types as unknown as [string, string, string][]) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} [A-Z].+\\.$`, 'm'));
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(name).toMatch(/^[a-z_]+$/);
      expect(name).not.toMatch(/_(ms|us|ns|milliseconds|microseconds|count|sum|bucket)$/);
    }
  });

  it('adds the process, without the gauges that are named like counters', async () => {
    const text = await createMetrics().scrape();
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).not.toMatch(/^# TYPE \S+_total gauge$/m);
  });
});

it('as OpenMetrics shows the trace of the latest request of a bucket, and has the same series', async () => {
  const metrics = createMetrics({ processMetrics: false });
  const version = metrics.version({ model: 'm', version: 1 });
  const none = { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 };
  version.succeeded(1, none, 3e6);
  version.traced('4bf92f3577b34da6a3ce929d0e0e4736', 3e6, 1_700_000_000_500);
  const { text, contentType } = await metrics.expose('application/openmetrics-text; version=1.0.0');
  expect(contentType).toMatch(/^application\/openmetrics-text/);
  expect(text).toContain(
    'penstock_request_duration_seconds_bucket{model="m",version="1",le="0.005"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.003 1700000000.500\n',
  );
  expect(text.match(/trace_id/g)).toHaveLength(1);
  const series = (exposed: string) => exposed.match(/^[a-z_]+(?:\{[^}]*\})?(?= )/gm);
  expect(series(text)).toEqual(series(await metrics.scrape()));
  expect((await metrics.expose('*/*')).text).toBe(await metrics.scrape());
});
