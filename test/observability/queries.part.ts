import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/running-gateway.js';
import { undeclaredIn } from '../support/undeclared-labels.js';
import { BusyGateway } from './busy-gateway.js';
import { figure } from './figure.js';
import { type ForeignServer, startPrometheus } from './prometheus.js';
import { dashboardQueries, type RuleFile, readYaml, seriesNames, shippedIn, shippedRules } from './shipped.js';

/** There where a GPU is read; this machine may have none. */
const OF_GPUS = [
  'penstock_device_energy_joules_total',
  'penstock_device_power_watts',
  'penstock_device_power_limit_watts',
  'penstock_device_temperature_celsius',
];

let busy: BusyGateway;
let prometheus: ForeignServer;

/** All groups as one file, evaluated every second. */
function rulesOfEverySecond(): string {
  const groups = shippedIn('rules', '.yml').flatMap((name) => readYaml<RuleFile>(name).groups);
  return JSON.stringify({ groups: groups.map((group) => ({ ...group, interval: '1s' })) });
}

beforeAll(async () => {
  busy = await BusyGateway.start();
  await busy.release();
  prometheus = await startPrometheus({
    targets: [busy.gateway.metricsPort],
    scrapeInterval: '1s',
    rules: rulesOfEverySecond(),
  });
  let round = 0;
  const seen = async (series: string) => {
    await busy.round(round++);
    return (await prometheus.api<{ result: unknown[] }>('query', { query: series })).result.length > 0;
  };
  // Of the slowest to come: a file of captures, the rules of the longest windows, an alert, the shares of the rollout.
  for (const series of [
    'penstock_capture_files_total > 0',
    'penstock_shadow_requests_total > 0',
    'max_over_time(penstock_rollout_shadow_ratio[10m]) > 0',
    'job_model:penstock_failed_requests:ratio_rate3d > 0',
    'job_model:penstock_slow_requests:ratio_rate1d',
    'ALERTS',
  ])
    await eventually(() => seen(series), `Prometheus has ${series}`, 45_000, 50);
});

afterAll(async () => {
  await prometheus?.stop();
  await busy?.stop();
});

const asked = () => [
  ...dashboardQueries().map(({ dashboard, panel, expr }) => ({ where: `${dashboard}: ${panel}`, expr })),
  ...shippedRules().map(({ record, alert, expr }) => ({ where: `rule ${record ?? alert}`, expr })),
];

it('tells nothing that the catalogue of metrics does not say', async () => {
  expect(undeclaredIn(await busy.gateway.scrape())).toEqual([]);
});

it('asks in dashboards and rules only what Prometheus understands', async () => {
  const wrong: string[] = [];
  for (const { where, expr } of asked()) {
    await prometheus.api<string>('format_query', { query: expr }).catch((error: Error) => {
      wrong.push(`${where}: ${error.message}`);
    });
  }
  expect(wrong).toEqual([]);
  // The check can fail.
  await expect(prometheus.api('format_query', { query: 'sum(rate(x[5m])' })).rejects.toThrow(/parse error/);
});

it('names only series that a gateway at work tells', async () => {
  const known = new Set(await prometheus.api<string[]>('label/__name__/values'));
  const missing = asked().flatMap(({ where, expr }) =>
    seriesNames(expr)
      .filter((name) => !known.has(name) && !OF_GPUS.includes(name))
      .map((name) => `${name} (${where})`),
  );
  expect([...new Set(missing)]).toEqual([]);
  const names = new Set(asked().flatMap(({ expr }) => seriesNames(expr)));
  expect(names.size).toBeGreaterThan(60);

  let answered = 0;
  for (const { expr } of asked()) {
    const { result } = await prometheus.api<{ result: unknown[] }>('query', { query: expr });
    if (result.length > 0) answered++;
  }
  figure(
    `${asked().length} expressions parsed by Prometheus; ${names.size} series they name are there (${OF_GPUS.length} of GPUs excepted); ${answered} have an answer now`,
  );
});
