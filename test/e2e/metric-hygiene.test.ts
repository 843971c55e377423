import { afterAll, beforeAll, expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf, sampleOf } from '../support/running-gateway.js';
import { seriesOf } from '../support/scraped-series.js';
import { undeclaredIn } from '../support/undeclared-labels.js';

let gateway: RunningGateway;
let grpc: GrpcClient;

const ROUTES = `
labels: { stable: 1, next: 2 }
default: ab
splits:
  ab:
    arms: [{ to: stable, percent: 50 }, { to: next, percent: 50 }]
    key: { from: header, name: x-user }
`;

beforeAll(async () => {
  gateway = await RunningGateway.start(
    repositoryOf({
      fixed: {
        fixture: { 1: 'identity_fixed', 2: 'identity_fixed' },
        config: 'version_policy { all {} }',
        files: { 'routes.yaml': ROUTES },
      },
    }),
    ['--log-error', 'false', '--max-unlisted-tenants', '4', '--tenant-weight', 'acme=2'],
  );
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const request = (id: string): NeutralRequest => ({
  model: 'fixed',
  id,
  inputs: [tensor('INPUT0', 'FP32', [1, 4], new Float32Array(4))],
});

/** Names that callers make up, `n` of each kind. */
async function garbage(from: number, n: number): Promise<void> {
  for (let i = from; i < from + n; i += 20) {
    const round = Array.from({ length: 20 }, (_, k) => i + k).map(async (k) => {
      const headers = { 'x-user': `user-${k}`, 'x-penstock-tenant': `tenant-${k}` };
      const body = jsonBody(request(`request-${k}`));
      expect((await gateway.call('/v2/models/fixed/infer', { body, headers })).status).toBe(200);
      await gateway.call('/v2/models/fixed/infer', { body, headers: { 'x-penstock-criticality': `odd-${k}` } });
      await gateway.call(`/v2/models/none-${k}/infer`, { body, headers });
      await gateway.call(`/v2/models/fixed/versions/${1000 + k}/infer`, { body });
      await gateway.call(`/v2/nowhere/${k}?model=m${k}`);
    });
    await Promise.all(round);
    const message = { ...grpcMessage(request(`rpc-${i}`), true), model_name: `rpc-${i}` };
    await grpc.unary('ModelInfer', message).catch(() => undefined);
  }
}

it('has as many series after thousands of made-up tenants, request ids, models and versions as after a few', async () => {
  // All that callers can bring about is there after some rounds: reasons of refusals, tenants up to their bound.
  await garbage(0, 200);
  // The use of the host is told from the second scrape on, some tenths of a second after the first.
  await eventually(async () => sampleOf(await gateway.scrape(), 'nv_cpu_utilization', {}) !== undefined, 'it is told');
  const before = seriesOf(await gateway.scrape());
  await garbage(200, 2000);
  const text = await gateway.scrape();
  const after = seriesOf(text);
  expect(sampleOf(text, 'penstock_refused_requests_total', { reason: 'MODEL_NOT_FOUND' })).toBeGreaterThan(2000);
  const key = ({ name, labels }: (typeof after)[number]) => `${name} ${JSON.stringify(labels)}`;
  const known = new Set(before.map(key));
  // What the process has open comes and goes, and a version changes its carrier. Where this takes minutes, tenants that were
  // forgotten give their places to others, up to a bound.
  const ofTenants = after.filter(({ labels }) => labels.tenant?.startsWith('tenant-'));
  expect(new Set(ofTenants.map(({ labels }) => labels.tenant)).size).toBeLessThanOrEqual(100);
  const grown = after.filter(
    (series) =>
      !known.has(key(series)) &&
      !ofTenants.includes(series) &&
      !/^(nodejs_|process_|penstock_model_carrier$)/.test(series.name),
  );
  expect(grown.map(key)).toEqual([]);
  expect(text).not.toMatch(/none-|request-\d|rpc-|odd-|nowhere|user-/);
  const tenants = new Set(after.flatMap(({ labels }) => labels.tenant ?? []));
  expect(tenants.size).toBeLessThanOrEqual(7);
});

it('has on every sample the labels that the catalogue says, and no metric that it does not name', async () => {
  expect(undeclaredIn(await gateway.scrape())).toEqual([]);
});

it('tells the host, and no GPU where none is read', async () => {
  const text = await gateway.scrape();
  expect(sampleOf(text, 'nv_cpu_memory_total_bytes', {})).toBeGreaterThan(64 * 1024 ** 2);
  expect(sampleOf(text, 'penstock_device_memory_used_bytes', { device: 'cpu' })).toBe(
    sampleOf(text, 'nv_cpu_memory_used_bytes', {}),
  );
  expect(sampleOf(text, 'nv_cpu_utilization', {})).toBeLessThanOrEqual(1);
  expect(text).not.toMatch(/^nv_gpu_\w+\{/m);
  expect(text).not.toMatch(/^nv_energy_consumption\{/m);
});

it('tells an autoscaler how the line stands', async () => {
  const of = async (name: string) => sampleOf(await gateway.scrape(), name, { model: 'fixed', version: '1' });
  expect(await of('penstock_queue_wait_seconds')).toBe(0);
  expect(await of('penstock_instance_slots')).toBeGreaterThanOrEqual(1);
  expect(await of('penstock_instance_slots_busy')).toBe(0);
  expect(await of('penstock_predicted_finish_seconds')).toBeGreaterThan(0);
  expect(await of('penstock_execution_seconds_total')).toBeGreaterThan(0);
});
