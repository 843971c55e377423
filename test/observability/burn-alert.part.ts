import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { figure } from './figure.js';
import { type ForeignServer, startAlertmanager, startPrometheus } from './prometheus.js';
import { type RuleFile, readYaml, shippedIn } from './shipped.js';

/** An hour of the rules takes a minute here. */
const FASTER = 60;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

interface Notification {
  readonly status: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

let gateway: RunningGateway;
let receiver: Server;
let alertmanager: ForeignServer;
let prometheus: ForeignServer;
const received: { readonly path: string; readonly atMs: number; readonly body: Notification }[] = [];

/** The rules that ship, their windows and waits so many times shorter. */
function compressed(): string {
  const shorter = (text: string) =>
    text.replaceAll(/\b(\d+)([smhd])\b/g, (_, n: string, unit: string) => {
      const seconds = (Number(n) * (SECONDS[unit] as number)) / FASTER;
      return `${Math.max(Math.round(seconds * 1000), 500)}ms`;
    });
  const groups = shippedIn('rules', '.yml').flatMap((name) => readYaml<RuleFile>(name).groups);
  return JSON.stringify({
    groups: groups.map((group) => ({
      ...group,
      interval: '1s',
      rules: group.rules.map((rule) => ({
        ...rule,
        expr: rule.expr.replaceAll(/\[[^\]]+\]/g, shorter),
        ...(rule.for !== undefined && { for: shorter(rule.for) }),
      })),
    })),
  });
}

beforeAll(async () => {
  receiver = createServer((request, reply) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.once('end', () => {
      received.push({ path: request.url ?? '', atMs: Date.now(), body: JSON.parse(text) as Notification });
      reply.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

  // The configuration that ships, with the receiver of this test and no waits.
  const config = readYaml<{ route: object; receivers: { webhook_configs?: { url: string }[] }[] }>('alertmanager.yml');
  const text = JSON.stringify(config)
    .replaceAll('http://127.0.0.1:9099', url)
    .replaceAll(/"group_wait":"\w+"/g, '"group_wait":"0s"')
    .replaceAll(/"group_interval":"\w+"/g, '"group_interval":"1s"');
  alertmanager = await startAlertmanager(JSON.parse(text) as object);

  gateway = await RunningGateway.start(repositoryOf({ fixed: 'identity_fixed', gather: 'gather' }), [
    '--log-error',
    'false',
  ]);
  prometheus = await startPrometheus({
    targets: [gateway.metricsPort],
    scrapeInterval: '1s',
    rules: compressed(),
    alertmanager: alertmanager.url,
  });
});

afterAll(async () => {
  await prometheus?.stop();
  await alertmanager?.stop();
  await gateway?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
});

const good = () =>
  gateway.call('/v2/models/fixed/infer', {
    body: jsonBody({ model: 'fixed', inputs: [tensor('INPUT0', 'FP32', [1, 4], new Float32Array(4))] }),
  });
/** An index that the tensor does not have: the backend fails. */
const index = (at: number) =>
  gateway.call('/v2/models/gather/infer', {
    body: `{"inputs":[{"name":"index","shape":[1,1],"datatype":"INT64","data":[${at}]}]}`,
  });

const pages = () => received.filter(({ path }) => path === '/pages').flatMap(({ body }) => body.alerts);
const burning = () => pages().filter(({ labels }) => labels.alertname === 'PenstockErrorBudgetBurnFast');

it('turns failed requests into a page: load, scrape, burn rate, Alertmanager, webhook', async () => {
  let failing = false;
  let going = true;
  const load = (async () => {
    while (going) {
      await Promise.all([good(), index(0), index(failing ? 9 : 0)]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    const recorded = () =>
      prometheus.api<{ result: { metric: Record<string, string>; value: [number, string] }[] }>('query', {
        query: 'job_model:penstock_failed_requests:ratio_rate5m{model="gather"}',
      });
    await eventually(async () => (await recorded()).result.length > 0, 'the rules have recorded', 20_000, 200);
    expect(Number((await recorded()).result[0]?.value[1])).toBe(0);
    expect(burning()).toEqual([]);

    failing = true;
    const beganMs = Date.now();
    await eventually(() => burning().length > 0, 'a page of the burn rate', 60_000, 100);
    const seconds = (Date.now() - beganMs) / 1000;
    const ratio = Number((await recorded()).result[0]?.value[1]);

    const [alert] = burning();
    expect(alert).toMatchObject({ status: 'firing', labels: { job: 'penstock', model: 'gather', severity: 'page' } });
    expect(alert?.annotations.summary).toMatch(/^gather fails [\d.]+% of its requests$/);
    // The model beside it, which answers, is not paged for.
    expect(burning().every(({ labels }) => labels.model === 'gather')).toBe(true);
    expect(pages().filter(({ labels }) => labels.model === 'fixed')).toEqual([]);
    figure(
      `${(ratio * 100).toFixed(0)} % failed -> PenstockErrorBudgetBurnFast -> Alertmanager -> webhook, ${seconds.toFixed(1)} s after the first failure (windows ${FASTER} times shorter)`,
    );
  } finally {
    going = false;
    await load;
  }
});
