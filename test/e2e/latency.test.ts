import sketches from '@datadog/sketches-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cliRun } from '../support/cli-run.js';
import { jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, type HttpAnswer, RunningGateway, repositoryOf, sampleOf } from '../support/running-gateway.js';

const ROUTES = `
rules:
  - { name: beta, when: { of: { from: header, name: x-group }, equals: beta }, to: 2 }
`;
const PRIORITIES = `
max_batch_size: 4
instance_group [ { count: 1 kind: KIND_CPU } ]
dynamic_batching { priority_levels: 3 default_priority_level: 2 max_queue_delay_microseconds: 20000 }
`;

const replicas: RunningGateway[] = [];

beforeAll(async () => {
  for (let i = 0; i < 2; i++)
    replicas.push(
      await RunningGateway.start(
        repositoryOf({
          routed: {
            fixture: { 1: 'identity_fixed', 2: 'identity_fixed' },
            config: 'version_policy { all { } }',
            files: { 'routes.yaml': ROUTES },
          },
          slow: { fixture: 'slow', config: PRIORITIES },
        }),
      ),
    );
});

afterAll(async () => {
  for (const replica of replicas) expect(await replica.stop()).toBe(0);
});

const first = () => replicas[0] as RunningGateway;

const routed: NeutralRequest = { model: 'routed', inputs: [tensor('INPUT0', 'FP32', [1, 4], new Float32Array(4))] };

function ask(gateway: RunningGateway, count: number, headers: Record<string, string> = {}): Promise<HttpAnswer[]> {
  const body = jsonBody(routed);
  return Promise.all(Array.from({ length: count }, () => gateway.call('/v2/models/routed/infer', { body, headers })));
}

function slow(steps: number, parameters: Record<string, unknown> = {}): string {
  const asked = { x: [7], steps: [steps] };
  return JSON.stringify({
    parameters,
    id: 'the-slow-one',
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [1, 1], data: asked.x },
      { name: 'steps', datatype: 'INT64', shape: [1, 1], data: asked.steps },
    ],
  });
}

async function openMetrics(gateway: RunningGateway): Promise<string> {
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  const answer = await fetch(`http://127.0.0.1:${gateway.metricsPort}/metrics`, { headers: { accept } });
  expect(answer.headers.get('content-type')).toMatch(/^application\/openmetrics-text/);
  return answer.text();
}

it('quantiles of all replicas come of their sketches together, from the command line and by any DDSketch', async () => {
  await ask(first(), 30);
  await ask(replicas[1] as RunningGateway, 70, { 'x-group': 'beta' });
  await ask(replicas[1] as RunningGateway, 20);
  const urls = replicas.map(({ url }) => `--url ${url}`).join(' ');
  const run = await cliRun(`latency routed ${urls} --json`);
  expect(run.code, run.err).toBe(0);
  const { replicas: count, versions } = JSON.parse(run.out);
  expect([count, versions.map(({ version, count }: { version: string; count: number }) => [version, count])]).toEqual([
    2,
    [
      ['1', 0],
      ['2', 120],
    ],
  ]);
  const [, merged] = versions;
  expect(merged.p50_ms).toBeGreaterThan(0);
  expect(merged.p50_ms).toBeLessThanOrEqual(merged.p99_ms);
  // The highest value of a sketch stands for its bin.
  expect(merged.p99_9_ms).toBeLessThanOrEqual(merged.max_ms * 1.0102);

  const theirs = new sketches.DDSketch({ relativeAccuracy: 0.01 });
  for (const replica of replicas) {
    const { versions: rows } = (await replica.call('/v2/models/routed/versions/2/latency?sketch=protobuf')).json();
    theirs.merge(sketches.DDSketch.fromProto(Buffer.from(rows[0].sketch, 'base64')));
  }
  expect(theirs.getValueAtQuantile(0.5) * 1e3).toBeCloseTo(merged.p50_ms, 2);

  const table = await cliRun(`latency ${urls}`);
  expect(table.out).toMatch(/^MODEL +VERSION +REQUESTS +MEAN MS +P50 +P90 +P99 +P99.9 +MAX\n/);
  expect(table.out).toMatch(/\nrouted +2 +120 +\d/);
});

it('only those of the last seconds, where it is asked for', async () => {
  const over = cliRun(`latency routed --url ${first().url} --over 1 --json`);
  // The first reading is done when a call of the same connection after it is.
  await eventually(async () => {
    await ask(first(), 1);
    return true;
  }, 'a request');
  const { versions } = JSON.parse((await over).out);
  expect(versions[1].count).toBeLessThan(30);
  expect(versions[1]).not.toHaveProperty('max_ms');
});

it('a form of sketch that there is not, and a model that does not serve, are refused', async () => {
  expect((await first().call('/v2/models/routed/latency?sketch=text')).status).toBe(400);
  expect((await first().call('/v2/models/nobody/latency')).status).toBe(404);
  expect(await cliRun(`latency nobody --url ${first().url}`)).toMatchObject({ code: 1 });
});

it('the time of requests is told by route and by level of priority, of models that have such', async () => {
  await ask(first(), 5, { 'x-group': 'beta' });
  await first().call('/v2/models/routed/infer', { body: '{"inputs":[]}' });
  for (const priority of [0, 1, 3]) await first().call('/v2/models/slow/infer', { body: slow(1, { priority }) });
  const text = await first().scrape();
  const routes = (route: string, outcome: string) =>
    sampleOf(text, 'penstock_route_requests_total', { model: 'routed', version: '2', route, outcome });
  expect([routes('beta', 'success'), routes('default', 'refusal'), routes('default', 'fault')]).toEqual([5, 1, 0]);
  expect(routes('default', 'success')).toBeGreaterThanOrEqual(30);
  const duration = { model: 'routed', route: 'beta', le: '+Inf' };
  expect(sampleOf(text, 'penstock_route_request_duration_seconds_bucket', duration)).toBe(5);
  expect(text).not.toMatch(/penstock_route_[a-z_]+\{model="slow"/);
  const levels = ['1', '2', '3'].map((priority) =>
    sampleOf(text, 'penstock_priority_request_duration_seconds_count', { model: 'slow', priority }),
  );
  expect(levels).toEqual([1, 1, 1]);
  expect(text).not.toMatch(/penstock_priority_[a-z_]+\{model="routed"/);
});

it('a slow request is in the log with where its time went and whom it shared its batch with', async () => {
  // Nobody listens where the traces go.
  const every = ['--slow-request-ms=0', '--tracing=on', '--tracing-endpoint=http://127.0.0.1:9'];
  const gateway = await RunningGateway.start(repositoryOf({ slow: { fixture: 'slow', config: PRIORITIES } }), every);
  try {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const ask = () => gateway.call('/v2/models/slow/infer', { body: slow(200), headers });
    for (const { status } of await Promise.all([ask(), ask(), ask()])) expect(status).toBe(200);
    const lines = () =>
      gateway.log
        .split('\n')
        .filter((line) => line.includes('"slow request"'))
        .map((line) => JSON.parse(line));
    await eventually(() => lines().length === 3, 'three lines in the log');
    const [line] = lines();
    expect(line).toMatchObject({
      level: 'warn',
      model: 'slow',
      version: 1,
      id: 'the-slow-one',
      rows: 1,
      device: 'cpu',
      traceId,
    });
    const { totalMs, decodeMs, queueMs, gatherMs, dispatchMs, computeMs, scatterMs, encodeMs } = line;
    const parts = [decodeMs, queueMs, gatherMs, dispatchMs, computeMs, scatterMs, encodeMs];
    expect(computeMs).toBeGreaterThan(0.1);
    const sum = parts.reduce((all, ms) => all + ms, 0);
    expect(sum).toBeLessThanOrEqual(totalMs + 0.01);
    expect(sum).toBeGreaterThan(0.3 * totalMs);
    expect(Math.max(...lines().map(({ batchMates }) => batchMates))).toBeGreaterThanOrEqual(1);
    for (const name of ['penstock_slow_requests_total', 'penstock_slow_requests_logged_total'])
      expect(await gateway.metric(name, { model: 'slow' })).toBe(3);
    // The bucket leads to the trace.
    expect(await openMetrics(gateway)).toMatch(
      new RegExp(
        `^penstock_request_duration_seconds_bucket\\{model="slow".*\\} \\d # \\{trace_id="${traceId}"\\} [0-9.]+ \\d+\\.\\d{3}$`,
        'm',
      ),
    );
  } finally {
    await gateway.stop();
  }
}, 60_000);

it('a scrape as OpenMetrics has the series of the text form', async () => {
  const open = await openMetrics(first());
  expect(open.endsWith('# EOF\n')).toBe(true);
  const names = (text: string) =>
    new Set(text.match(/^[a-z_]+(?:\{[^}]*\})?(?= )/gm)?.filter((one) => !/^nodejs|^process/.test(one)));
  expect(names(open)).toEqual(names(await first().scrape()));
});
