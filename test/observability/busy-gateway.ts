import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, type HttpAnswer, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const TOKEN = 'pst_of_the_busy_gateway';
const PLAN = `alpha: 0.05
calibration: {executions: 100}
timeLimits: {stepSeconds: 300, totalSeconds: 600}
inconclusive: rollback
steps:
  - shadow: 60
    requests: 20
    minSeconds: 5
  - canary: 20
    minSeconds: 60
guards:
  - metric: error-rate
    maxDifference: 0.2
`;
const ROUTES = `
labels: { stable: 1, next: 2 }
default: ab
splits:
  ab:
    arms: [{ to: stable, percent: 50 }, { to: next, percent: 50 }]
    key: { from: header, name: x-user }
shadows:
  - { name: copies, to: 2, percent: 50 }
filters:
  - name: known
    when: { of: { from: header, name: x-known }, exists: true }
    answer: [{ name: OUTPUT0, datatype: FP32, shape: [4], data: [0, 0, 0, 0] }]
`;
const SCRIPT = 'backend: "script" max_batch_size: 8 dynamic_batching {} version_policy { all {} }';

/**
 * A gateway that has done a bit of everything: answered and refused, batched, routed, shadowed, under a rollout, with tenants,
 * priorities, feedback, captures, traces, prices, budgets and webhooks. What a dashboard can ask is there.
 */
export class BusyGateway {
  readonly gateway: RunningGateway;
  readonly #folder: string;
  readonly #receiver: Server;

  private constructor(gateway: RunningGateway, folder: string, receiver: Server) {
    this.gateway = gateway;
    this.#folder = folder;
    this.#receiver = receiver;
  }

  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<BusyGateway> {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-busy-'));
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    const tokens = [{ name: 'ann', scopes: ['rollout', 'feedback'], sha256 }];
    writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify({ tokens }));
    const receiver = createServer((request, reply) => {
      request.resume().once('end', () => reply.writeHead(200).end());
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const config = {
      webhooks: [{ name: 'ops', url }],
      capture: { folder: join(folder, 'captures'), percent: { '*': 100 }, fileSecs: 1 },
      tracing: { enabled: 'on', endpoint: url, percent: 100 },
      slowRequests: { overMs: 1 },
      tenants: { weights: { acme: 2 } },
      cost: {
        devices: { cpu: { market: 3.6 } },
        budgets: [{ name: 'of-acme', tenant: 'acme', amount: 1000 }],
      },
      payloadLog: {
        models: [{ model: '*' }],
        parquet: [{ name: 'files', folder: join(folder, 'payloads') }],
      },
      slos: [
        { name: 'answered', objective: 'availability', targetPercent: 99.9 },
        { name: 'fast', model: 'routed', objective: 'latency', underMs: 50, targetPercent: 99 },
      ],
      ...settings,
    };
    writeFileSync(join(folder, 'penstock.yaml'), JSON.stringify(config));
    const models = repositoryOf({
      routed: {
        fixture: { 1: 'identity_fixed', 2: 'identity_fixed' },
        config: 'version_policy { all {} }',
        files: { 'routes.yaml': ROUTES },
      },
      gather: 'gather',
      urgent: {
        fixture: 'identity_fixed',
        config: 'max_batch_size: 4 dynamic_batching { priority_levels: 2 default_priority_level: 1 }',
      },
      released: { fixture: { 3: 'releases.js', 4: 'releases.js' }, config: SCRIPT },
    });
    const gateway = await RunningGateway.start(models, [
      '--admin-port=0',
      `--config=${join(folder, 'penstock.yaml')}`,
      `--tokens-file=${join(folder, 'tokens.yaml')}`,
      `--state-dir=${join(folder, 'state')}`,
      '--log-info=false',
      '--log-warning=false',
      '--log-error=false',
    ]);
    return new BusyGateway(gateway, folder, receiver);
  }

  /** Starts the rollout whose figures the dashboards show. */
  async release(): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.gateway.adminPort}/v2/admin/rollouts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/yaml' },
      body: `model: released\ncandidate: 4\nbaseline: 3\n${PLAN}`,
    });
    if (!answer.ok) throw new Error(`the rollout does not start: ${answer.status} ${await answer.text()}`);
  }

  /** One round of everything. `round` names its requests. */
  async round(round: number): Promise<void> {
    const { gateway } = this;
    const rows = (n: number) => [tensor('INPUT0', 'FP32', [n, 4], new Float32Array(n * 4))];
    const headers = { 'x-user': `u${round}`, 'x-penstock-tenant': round % 2 === 0 ? 'acme' : 'other' };
    const infer = (model: string, body: object, more: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> =>
      gateway.call(`/v2/models/${model}/infer`, {
        body: jsonBody({ model, ...body } as never),
        headers: { ...headers, ...more },
      });
    const answers = await Promise.all([
      infer('routed', { inputs: rows(1) }),
      infer('routed', { inputs: rows(3) }),
      infer('routed', { inputs: rows(1) }, { 'x-known': '1' }),
      infer('urgent', { inputs: rows(2), parameters: { priority: 1 + (round % 2) } }),
      infer('urgent', { inputs: rows(1) }),
      ...[0, 1, 2].map((i) => this.#predict(`p${round}-${i}`, headers)),
    ]);
    const refused = answers.find(({ status }) => status !== 200);
    if (refused !== undefined) throw new Error(`not answered: ${refused.status} ${refused.body}`);
    await Promise.all([
      // What goes wrong: the backend's fault, the caller's, and a model that nobody has.
      gateway.call('/v2/models/gather/infer', {
        body: '{"inputs":[{"name":"index","shape":[1,1],"datatype":"INT64","data":[9]}]}',
      }),
      infer('routed', { inputs: [] }),
      infer('nobody', { inputs: rows(1) }),
    ]);
    await gateway.post(
      '/v2/feedback',
      { id: `p${round}-0`, model: 'released', correct: true },
      { authorization: `Bearer ${TOKEN}` },
    );
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    this.#receiver.closeAllConnections();
    await new Promise((resolve) => this.#receiver.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Resolves once the scrape has a sample that the pattern matches. */
  async tells(pattern: RegExp): Promise<void> {
    await eventually(async () => pattern.test(await this.gateway.scrape()), `a sample ${pattern}`, 20_000, 200);
  }

  #predict(id: string, headers: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    const body = { id, inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 0] }] };
    return this.gateway.post('/v2/models/released/infer', body, headers);
  }
}
