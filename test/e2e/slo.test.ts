import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const AT_ONCE = 150;

let gateway: RunningGateway;

beforeAll(async () => {
  const one = 'max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ]';
  const slo = 'parameters { key: "penstock.slo_ms" value { string_value: "250" } } dynamic_batching { }';
  gateway = await RunningGateway.start(
    repositoryOf({ wanted: { fixture: 'slow', config: `${one} ${slo}` }, whenever: { fixture: 'slow', config: one } }),
  );
});

afterAll(async () => {
  await gateway?.stop();
});

const request = (model: string): NeutralRequest => ({
  model,
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(100n))],
});

async function askMany(model: string): Promise<{ status: number; retryAfter: string | undefined; text: string }[]> {
  const body = jsonBody(request(model));
  const answers = Array.from({ length: AT_ONCE }, async () => {
    const answer = await gateway.call(`/v2/models/${model}/infer`, { body });
    const retryAfter = answer.headers['retry-after'];
    return { status: answer.status, retryAfter: retryAfter?.toString(), text: answer.body.toString() };
  });
  return await Promise.all(answers);
}

describe('an SLO', () => {
  it('learns what runs take, answers what it can in time and refuses the rest with a time to come again', async () => {
    for (let i = 0; i < 20; i++) {
      await gateway.call('/v2/models/wanted/infer', { body: jsonBody(request('wanted')) });
    }
    const { policy, slo_ms, curve } = (await gateway.call('/v2/models/wanted/scheduler')).json();
    expect({ policy, slo_ms }).toEqual({ policy: 'deadlines', slo_ms: 250 });
    expect(curve.mean_ms[0]).toBeGreaterThan(0.03);
    expect(curve.upper_ms[0]).toBeGreaterThanOrEqual(curve.mean_ms[0]);

    const answers = await askMany('wanted');
    const refused = answers.filter(({ status }) => status !== 200);
    expect(answers.length - refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, retryAfter, text } of refused) {
      expect([503, 504], text).toContain(status);
      if (status === 503) expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
    }
  }, 60_000);

  it('changes nothing for a model without one', async () => {
    for (const { status, text } of await askMany('whenever')) expect(status, text).toBe(200);
    const { policy, slo_ms, curve } = (await gateway.call('/v2/models/whenever/scheduler')).json();
    expect({ policy, slo_ms }).toEqual({ policy: 'knobs', slo_ms: 0 });
    // Known all the same, for the first caller who has a deadline.
    expect(curve.mean_ms[0]).toBeGreaterThan(0.03);
  }, 60_000);
});
