import type { Exemplar } from './latency/exemplars.js';

/** A family as `get` of prom-client's metrics and of ours gives it. */
export interface ExposedFamily {
  readonly name: string;
  readonly help: string;
  /** Of prom-client a text, or a number of its own enumeration for the same. */
  readonly type: string;
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
    /** Null: prom-client's own have none. */
    readonly exemplar?: Exemplar | null | undefined;
  }[];
}

export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * Families in OpenMetrics 1.0, with exemplars. Names and labels are those of the text form, so that a scrape by either has
 * the same series: a counter whose name does not end in `_total`, as Triton's, is of type `unknown` here.
 */
export function openMetricsText(families: readonly ExposedFamily[]): string {
  const lines = families.flatMap(familyLines);
  return `${lines.join('\n')}\n# EOF\n`;
}

function familyLines({ name, help, type, values }: ExposedFamily): string[] {
  const counts = type === 'counter';
  const family = counts && name.endsWith('_total') ? name.slice(0, -'_total'.length) : name;
  const kind = counts && family === name ? 'unknown' : type;
  return [
    `# TYPE ${family} ${kind}`,
    `# HELP ${family} ${escaped(help)}`,
    ...values.map(({ metricName = name, labels, value, exemplar }) => {
      const line = `${metricName}${labelsText(labels)} ${numberText(value)}`;
      return exemplar === undefined || exemplar === null ? line : `${line} # ${exemplarText(exemplar)}`;
    }),
  ];
}

function exemplarText({ traceId, seconds, atMs }: Exemplar): string {
  return `{trace_id="${traceId}"} ${seconds} ${(atMs / 1000).toFixed(3)}`;
}

function labelsText(labels: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(String(value))}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** Whether who sends this `Accept` header wants OpenMetrics rather than the text form. */
export function wantsOpenMetrics(accept: string): boolean {
  const weights = { open: 0, text: 0 };
  for (const item of accept.split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const given = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = given === undefined ? 1 : Number(given.slice(2)) || 0;
    if (type === 'application/openmetrics-text') weights.open = Math.max(weights.open, weight);
    else if (type === 'text/plain') weights.text = Math.max(weights.text, weight);
  }
  return weights.open > 0 && weights.open >= weights.text;
}
