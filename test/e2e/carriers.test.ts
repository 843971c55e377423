import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;

beforeAll(async () => {
  const group = 'max_batch_size: 4 instance_group [ { count: 1 kind: KIND_CPU } ]';
  const carried = (carrier: string) => `${group} parameters { key: "carrier" value { string_value: "${carrier}" } }`;
  gateway = await RunningGateway.start(
    repositoryOf({
      quick: { fixture: 'mlp', config: group },
      slow: { fixture: 'slow', config: group },
      own: { fixture: 'slow', config: carried('thread') },
      wrong: { fixture: 'mlp', config: carried('threads') },
    }),
    ['--exit-on-error=false', '--strict-readiness=false'],
  );
});

afterAll(async () => {
  await gateway?.stop();
});

const slow = (model: string, steps: bigint): NeutralRequest => ({
  model,
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
});
const quick: NeutralRequest = { model: 'quick', inputs: [tensor('x', 'FP32', [1, 64], new Float32Array(64))] };

async function ask(request: NeutralRequest): Promise<number> {
  return (await gateway.call(`/v2/models/${request.model}/infer`, { body: jsonBody(request) })).status;
}

async function carrierOf(model: string): Promise<{ carrier: string; why: string }> {
  return (await gateway.call(`/v2/models/${model}/status`)).json().carriers[0];
}

describe('how runs are carried', () => {
  it('follows what they take, and is told with its reason in status and metrics', async () => {
    expect(await carrierOf('quick')).toMatchObject({ device: 'cpu:0', carrier: 'pool', run_us: 0 });
    // On a busy machine a run may look long for a while: what counts is that it comes to this, and why.
    const why = async (carrier: string, request: NeutralRequest): Promise<string> => {
      let found = '';
      await eventually(
        async () => {
          for (let i = 0; i < 20; i++) expect(await ask(request)).toBe(200);
          const use = await carrierOf(request.model);
          const labels = { model: request.model, version: '1', device: 'cpu:0', carrier };
          found = use.why;
          return use.carrier === carrier && (await gateway.metric('penstock_model_carrier', labels)) === 1;
        },
        `${request.model} on ${carrier}`,
        60_000,
      );
      return found;
    };
    expect(await why('sync', quick)).toMatch(/less than a hop/);
    expect(await why('thread', slow('slow', 300n))).toMatch(/runs are long/);
    expect(gateway.log).toContain('runs are carried in another way');
  }, 120_000);

  it('is what the config says, and a word that means nothing refuses the model', async () => {
    expect(await ask(slow('own', 1n))).toBe(200);
    expect(await carrierOf('own')).toMatchObject({ carrier: 'thread', why: 'its config says so' });
    const index = (await gateway.call('/v2/repository/index', { method: 'POST' })).json();
    expect(index).toContainEqual(
      expect.objectContaining({ name: 'wrong', reason: expect.stringContaining("got 'threads'") }),
    );
  });

  it('drains at a stop: a run on a thread of its own is answered, and the process ends well', async () => {
    const answer = ask(slow('own', 3000n));
    await eventually(async () => {
      const { lanes } = (await gateway.call('/v2/models/own/status')).json();
      return lanes.busy === 1;
    }, 'the run has begun');
    process.kill(gateway.pid, 'SIGTERM');
    expect(await answer).toBe(200);
    expect(await gateway.exited).toBe(0);
  });
});
