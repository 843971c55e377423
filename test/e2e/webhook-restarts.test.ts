import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelFolder } from '../support/model-folder.js';
import { listening, type ReceivedRequest, receiverOf } from '../support/received-requests.js';
import { eventually, RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const TOKEN = 'pst_webhooks_over_kills_of_this_test';
const PLAN = `model: m
alpha: 0.05
steps: [{canary: 50, minSeconds: 600}]
guards: [{metric: error-rate, maxDifference: 0.1}]
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-webhook-restarts-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a webhook that is down while a rollout moves', () => {
  it('is told after the gateway was killed and started again', async () => {
    const received: ReceivedRequest[] = [];
    let down = true;
    const receiver = receiverOf(
      (request) => received.push(request),
      () => (down ? 503 : 204),
    );
    const hooks = [{ name: 'ops', url: await listening(receiver) }];
    writeFileSync(join(folder, 'penstock.yaml'), JSON.stringify({ webhooks: hooks }));
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    writeFileSync(
      join(folder, 'tokens.yaml'),
      JSON.stringify({ tokens: [{ name: 'ann', scopes: ['rollout'], sha256 }] }),
    );
    const flags = [
      `--config=${join(folder, 'penstock.yaml')}`,
      '--admin-port=0',
      `--tokens-file=${join(folder, 'tokens.yaml')}`,
      `--state-dir=${join(folder, 'state')}`,
    ];
    const models = new ModelFolder();
    models.write('m/config.pbtxt', 'backend: "script" max_batch_size: 8 version_policy { all {} }');
    for (const version of [1, 2]) models.write(`m/${version}/model.mjs`, scalingModel(version));
    let gateway = await RunningGateway.start(models, flags);
    try {
      const steer = async (path: string, body: string) => {
        const address = `http://127.0.0.1:${gateway.adminPort}/v2/admin/${path}`;
        const answer = await fetch(address, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body });
        expect(answer.status, await answer.text()).toBe(200);
      };
      await steer('rollouts', PLAN);
      await steer('rollouts/m/abort', '{}');
      await eventually(() => received.length > 0, 'the webhook was tried');
      const idOf = ({ body }: ReceivedRequest) => JSON.parse(body).id as string;
      const [tried] = received.map(idOf);
      process.kill(gateway.pid, 'SIGKILL');
      await gateway.exited;

      received.length = 0;
      down = false;
      gateway = await RunningGateway.start(models, flags);
      await eventually(() => received.length > 0, 'the webhook is told');
      expect(received.map(idOf)[0]).toBe(tried);
      const waiting = async () => (await gateway.metric('penstock_webhook_waiting', { webhook: 'ops' })) === 0;
      await eventually(waiting, 'nothing waits any more');
    } finally {
      await gateway.stop();
      receiver.close();
    }
  }, 60_000);
});
