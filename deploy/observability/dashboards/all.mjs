// @ts-check
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { cost } from './cost.mjs';
import { fleet } from './fleet.mjs';
import { gpu } from './gpu.mjs';
import { model } from './model.mjs';
import { release } from './release.mjs';

const RULES = fileURLToPath(new URL('../rules/', import.meta.url));

/** Every file that is made, by its path in deploy/observability. @returns {Record<string, string>} */
export function generated() {
  return { ...dashboards(), 'kubernetes/prometheus-rule.yaml': prometheusRule() };
}

/** The dashboards as the JSON that Grafana imports. */
function dashboards() {
  const built = { cost, fleet, gpu, model, release };
  return Object.fromEntries(
    Object.entries(built).map(([name, builder]) => {
      const dashboard = builder.build();
      for (const [at, panel] of (dashboard.panels ?? []).entries()) panel.id = at + 1;
      return [`grafana/penstock-${name}.json`, `${JSON.stringify(dashboard, undefined, 2)}\n`];
    }),
  );
}

/** The rules as the Prometheus Operator takes them. */
function prometheusRule() {
  const groups = readdirSync(RULES)
    .filter((name) => name.endsWith('.yml'))
    .sort()
    .flatMap((name) => parse(readFileSync(`${RULES}${name}`, 'utf8')).groups);
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'penstock', labels: { 'app.kubernetes.io/name': 'penstock' } },
    spec: { groups },
  };
  return `# Written from ../rules by node deploy/observability/dashboards/generate.mjs. Do not edit.\n${stringify(rule, { lineWidth: 0 })}`;
}
