import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { allFamilies } from '../src/insight/metrics-page.js';
import { dashboardQueries, readYaml, seriesNames, shipped, shippedIn, shippedRules } from './observability/shipped.js';

const GENERATE = new URL('../deploy/observability/dashboards/all.mjs', import.meta.url).href;
const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string; readonly exemplar?: boolean }[];
  }[];
}

const boards = () =>
  shippedIn('grafana', '.json').map((name) => JSON.parse(readFileSync(shipped(name), 'utf8')) as Dashboard);

describe('dashboards', () => {
  it('are current, with the rules of the Operator (node deploy/observability/dashboards/generate.mjs writes them)', async () => {
    const { generated } = (await import(GENERATE)) as { generated(): Record<string, string> };
    for (const [file, text] of Object.entries(generated()))
      expect(readFileSync(shipped(file), 'utf8'), file).toBe(text);
    const made = Object.keys(generated()).filter((file) => file.startsWith('grafana/'));
    expect(shippedIn('grafana', '.json').sort()).toEqual(made.sort());
  });

  it('say of every panel what it shows, and put none over another', () => {
    expect(boards().length).toBe(5);
    for (const { title, panels } of boards()) {
      const shown = panels.filter(({ type }) => type !== 'row');
      expect(shown.length, title).toBeGreaterThan(8);
      for (const panel of shown) {
        expect(panel.description, `${title}: ${panel.title}`).toMatch(/\.$/);
        expect(panel.targets?.length, `${title}: ${panel.title}`).toBeGreaterThan(0);
      }
      const taken = new Set<string>();
      for (const { gridPos, title: name } of panels)
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x},${y}`), `${title}: ${name} lies over another`).toBe(false);
            taken.add(`${x},${y}`);
            expect(x).toBeLessThan(24);
          }
    }
  });

  it('have variables for all they select by, and exemplars in what is drawn over time', () => {
    for (const { title, panels, templating } of boards()) {
      const names = templating.list.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['datasource', 'job', 'instance']));
      for (const { targets = [], type } of panels) {
        for (const { expr, exemplar } of targets) {
          const used = [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name).filter((name) => !name?.startsWith('__'));
          expect(names, `${title}: ${expr}`).toEqual(expect.arrayContaining(used));
          if (type === 'timeseries') expect(exemplar, expr).toBe(true);
        }
      }
    }
  });
});

describe('dashboards and rules', () => {
  it('name metrics of the catalogue only, or series that the rules record', () => {
    const known = new Set(
      allFamilies().flatMap(({ name }) => ['', '_bucket', '_sum', '_count'].map((end) => name + end)),
    );
    for (const { record } of shippedRules()) if (record !== undefined) known.add(record);
    for (const own of ['up', 'ALERTS', 'process_resident_memory_bytes', 'process_cpu_seconds_total']) known.add(own);
    const asked = [...dashboardQueries(), ...shippedRules()];
    const unknown = asked.flatMap(({ expr }) => seriesNames(expr).filter((name) => !known.has(name)));
    expect([...new Set(unknown)]).toEqual([]);
    expect(asked.length).toBeGreaterThan(150);
  });

  it('find the names of series in PromQL', () => {
    expect(
      seriesNames('sum by (a, le) (rate(x_total{b="c"}[5m])) / on (job) group_left () (y:z > 0) or vector(0)'),
    ).toEqual(['x_total', 'y:z']);
    expect(seriesNames('histogram_quantile(0.99, sum by (le) (h_bucket)) and up == 1e-6 * 2')).toEqual([
      'h_bucket',
      'up',
    ]);
  });

  it('have forms for Kubernetes that are whole, and name metrics that are there', () => {
    const kinds = readdirSync(shipped('kubernetes')).flatMap((name) => {
      const documents = parseAllDocuments(readFileSync(shipped(`kubernetes/${name}`), 'utf8'));
      for (const document of documents) expect(document.errors, name).toEqual([]);
      return documents.map((document) => (document.toJS() as { kind?: string }).kind ?? name);
    });
    expect(kinds.sort()).toEqual([
      'HorizontalPodAutoscaler',
      'PrometheusRule',
      'ScaledObject',
      'ServiceMonitor',
      'prometheus-adapter.yaml',
    ]);
    const keda = readYaml<{ spec: { triggers: { metadata: { query: string } }[] } }>(
      'kubernetes/keda-scaled-object.yaml',
    );
    const known = new Set([...allFamilies().map(({ name }) => name), ...shippedRules().map(({ record }) => record)]);
    for (const { metadata } of keda.spec.triggers)
      for (const name of seriesNames(metadata.query)) expect(known.has(name), name).toBe(true);
  });
});

describe('the suite npm run test:observability', () => {
  it('has files for all of its parts, and no part that is not in its table', async () => {
    const { PARTS } = (await import(new URL('./observability/parts.mjs', import.meta.url).href)) as {
      PARTS: readonly { readonly name: string; readonly command: readonly string[] }[];
    };
    const listed = PARTS.flatMap(({ command }) => command.filter((word) => word.endsWith('.part.ts')));
    const present = readdirSync(`${ROOT}test/observability`).filter((name) => name.endsWith('.part.ts'));
    expect(listed.map((name) => name.replace('test/observability/', '')).sort()).toEqual(present.sort());
  });
});
