import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Family } from './family.js';
import { LABELS, type LabelName } from './label-vocabulary.js';
import { createMetrics, type MetricsOptions, MISNAMED } from './metrics.js';

/** A source that is never read: families are asked for their names only. */
const unread = (): never => {
  throw new Error('a page of metrics reads no figures');
};

/** Every option that brings families of its own. */
const ALL: Required<Omit<MetricsOptions, 'processMetrics' | 'wallMs' | 'tritonLatencies'>> = {
  devices: unread,
  feedback: unread,
  capture: unread,
  payloadLog: unread,
  rollouts: unread,
  readings: { read: unread },
  outlooks: unread,
  sequences: unread,
  traces: unread,
  access: unread,
  slos: unread,
  budgets: unread,
  costs: unread,
  state: unread,
  responseCache: unread,
};

/** Every metric that a gateway can have, with all that it can be told of. */
export function allFamilies(): readonly Family[] {
  return createMetrics({ processMetrics: false, ...ALL }).families;
}

/** The catalogue of all metrics as Markdown, written from the code that makes them. */
export function metricsPage(): string {
  const families = allFamilies();
  const own = families.filter(({ name }) => name.startsWith('penstock_'));
  const triton = families.filter(({ name }) => !name.startsWith('penstock_'));
  return [
    '# Metrics',
    '',
    'Written from the code by `penstock metrics-reference`; a test compares it. Do not edit. How to use them: `deploy/observability/README.md`.',
    '',
    'Names, labels and units are an interface. Ours are in base units. A histogram has the series NAME_bucket (with `le`), NAME_sum and NAME_count. Counters and labels of a version go with it when it is unloaded; a counter of something that never happened may be absent.',
    '',
    '## Of Penstock',
    '',
    ...familyTable(own),
    '',
    "## Under Triton's names",
    '',
    "With Triton's labels and units, for dashboards that exist. Those of GPUs are there where a GPU is read; those of a response cache (`nv_cache_*`) are not, as there is none.",
    '',
    ...familyTable(triton),
    '',
    '## Of the process',
    '',
    "prom-client's, of the control thread and its process.",
    '',
    ...table(['metric', 'type', 'meaning'], processRows()),
    '',
    '## Labels',
    '',
    'Nothing that a caller sends becomes a value as it is: what is not known, or beyond the bound, is counted together or not by name.',
    '',
    ...table(
      ['label', 'most values', 'meaning'],
      usedLabels(families).map((name) => [`\`${name}\``, LABELS[name].bound, LABELS[name].meaning]),
    ),
    '',
  ].join('\n');
}

function familyTable(families: readonly Family[]): string[] {
  return table(
    ['metric', 'type', 'labels', 'unit', 'meaning'],
    families.map(({ name, type, labels, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(' '),
      unitOf(name),
      help,
    ]),
  );
}

/** In the order of the vocabulary; `le` of histograms included. */
function usedLabels(families: readonly Family[]): LabelName[] {
  const used = new Set<string>(families.flatMap(({ labels }) => labels));
  if (families.some(({ type }) => type === 'histogram')) used.add('le');
  return (Object.keys(LABELS) as LabelName[]).filter((name) => used.has(name));
}

/** What Triton's names do not say. */
const TRITON_UNITS: Readonly<Record<string, string>> = {
  nv_energy_consumption: 'joules',
  nv_gpu_power_usage: 'watts',
  nv_gpu_power_limit: 'watts',
  nv_gpu_utilization: 'ratio',
  nv_cpu_utilization: 'ratio',
};

const UNITS = ['seconds', 'bytes', 'ratio', 'joules', 'watts', 'celsius'];

/** The unit that a name ends with; what is counted has none. */
export function unitOf(name: string): string {
  const plain = name.replace(/_total$/, '');
  if (/_per_second$/.test(plain)) return 'per second';
  if (plain.endsWith('_us')) return 'microseconds';
  if (plain.endsWith('_amount')) return 'currency';
  if (plain.endsWith('_price_per_hour')) return 'currency an hour';
  return TRITON_UNITS[name] ?? UNITS.find((unit) => plain.endsWith(`_${unit}`)) ?? 'count';
}

function processRows(): string[][] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const rows = registry
    .getMetricsAsArray()
    .filter(({ name }) => !MISNAMED.includes(name))
    .map((metric) => {
      const { name, help, type } = metric as unknown as { name: string; help: string; type: string };
      return [`\`${name}\``, type, help];
    });
  registry.clear();
  return rows;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
