import {
  BURN_WINDOW_MINUTES,
  type BurnAlert,
  burnAlerts,
  minutesText,
  objectiveText,
  SLO_SEVERITIES,
  type Slo,
  type SloSeverity,
} from '../../core/index.js';

/** Windows from this length on are evaluated less often. */
const LONG_MINUTES = 1440;

/** A rule of Prometheus, as its file has it. */
type Rule =
  | { readonly record: string; readonly expr: string }
  | {
      readonly alert: string;
      readonly expr: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    };

interface Group {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly Rule[];
}

/**
 * Recording and alerting rules of Prometheus for these SLOs: what a gateway judges by itself, over all its replicas and over
 * restarts. The text is the same for the same SLOs.
 */
export function alertRules(slos: readonly Slo[]): string {
  const sorted = [...slos].sort((a, b) => (a.name < b.name ? -1 : 1));
  const days = [...new Set(sorted.map(({ windowDays }) => windowDays))].sort((a, b) => a - b);
  const namesOf = (window: number) => sorted.filter(({ windowDays }) => windowDays === window).map(({ name }) => name);
  const [short, long] = [true, false].map((isShort) =>
    BURN_WINDOW_MINUTES.filter((minutes) => minutes < LONG_MINUTES === isShort).map(errorRatio),
  ) as [Rule[], Rule[]];
  const groups: Group[] = [
    { name: 'penstock-slo-error-ratios', interval: '30s', rules: short },
    {
      name: 'penstock-slo-error-ratios-long',
      interval: '1m',
      rules: [...long, ...days.map((window) => budgetRemaining(window, namesOf(window)))],
    },
    { name: 'penstock-slo-alerts', interval: '30s', rules: sorted.flatMap(alertsOf) },
  ];
  return `${HEADER}groups:\n${groups.map(groupText).join('')}`;
}

const HEADER = '# Written by `penstock slo rules` from the SLOs of its configuration. Do not edit.\n';
const GOOD = 'penstock_slo_good_total';
const EVENTS = 'penstock_slo_events_total';

const ratioName = (minutes: number) => `penstock:slo_error_ratio:rate${minutesText(minutes)}`;

function errorRatio(minutes: number): Rule {
  const over = (name: string) => `sum by (slo) (rate(${name}[${minutesText(minutes)}]))`;
  return { record: ratioName(minutes), expr: `1 - ${over(GOOD)} / ${over(EVENTS)}` };
}

/** Of the SLOs whose window has so many days. */
function budgetRemaining(days: number, names: readonly string[]): Rule {
  const of = `{slo=~${JSON.stringify(names.map(escapedName).join('|'))}}`;
  const over = (name: string) => `sum by (slo) (increase(${name}${of}[${days}d]))`;
  return {
    record: `penstock:slo_error_budget_remaining:ratio${days}d`,
    expr: `1 - (1 - ${over(GOOD)} / ${over(EVENTS)}) / (1 - max by (slo) (penstock_slo_target_ratio${of}))`,
  };
}

/** For a regular expression. */
function escapedName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_/-]/g, '\\$&');
}

/** One alert a severity; it holds where any of its pairs of windows does. */
function alertsOf(slo: Slo): Rule[] {
  const alerts = burnAlerts(slo);
  return SLO_SEVERITIES.map((severity) => alertOf(slo, severity, alerts)).filter((rule) => rule !== undefined);
}

function alertOf(slo: Slo, severity: SloSeverity, alerts: readonly BurnAlert[]): Rule | undefined {
  const own = alerts.filter((alert) => alert.severity === severity);
  if (own.length === 0) return undefined;
  const { name, model, objective, labels, description, target, windowDays } = slo;
  const summary = `SLO ${name} burns its error budget: ${objectiveText(slo)}, ${number(target * 100)} % over ${windowDays} days`;
  return {
    alert: severity === 'page' ? 'PenstockErrorBudgetBurnsFast' : 'PenstockErrorBudgetBurns',
    expr: own.map((alert) => pairExpression(slo, alert)).join('\nor\n'),
    labels: {
      severity,
      slo: name,
      ...(model === undefined ? {} : { model }),
      objective: objective.kind,
      ...Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
    annotations: {
      summary,
      description: [description, HOW_FAST, `\`penstock slo status\` shows how it stands.`]
        .filter((part) => part !== '')
        .join(' '),
      ...(slo.runbook === '' ? {} : { runbook: slo.runbook }),
    },
  };
}

const HOW_FAST = "{{ $value | humanizePercentage }} of the events of the alert's long window were bad.";

function pairExpression({ name, target, minEvents }: Slo, { longMinutes, shortMinutes, rate }: BurnAlert): string {
  const of = `{slo=${JSON.stringify(name)}}`;
  const limit = number(rate * (1 - target));
  const [long, short] = [longMinutes, shortMinutes].map((minutes) => `${ratioName(minutes)}${of} >= ${limit}`);
  const enough =
    minEvents === 0
      ? ''
      : `\n  and\n  sum by (slo) (increase(${EVENTS}${of}[${minutesText(longMinutes)}])) >= ${minEvents}`;
  return `(\n  ${long}\n  and\n  ${short}${enough}\n)`;
}

/** Without the last digits of a sum of doubles. */
function number(value: number): string {
  return String(Number(value.toPrecision(10)));
}

function groupText({ name, interval, rules }: Group): string {
  if (rules.length === 0) return '';
  return `  - name: ${name}\n    interval: ${interval}\n    rules:\n${rules.map(ruleText).join('')}`;
}

function ruleText(rule: Rule): string {
  if ('record' in rule) return `      - record: ${rule.record}\n        expr: ${JSON.stringify(rule.expr)}\n`;
  const block = rule.expr.split('\n').map((line) => `          ${line}\n`);
  return [
    `      - alert: ${rule.alert}\n        expr: |-\n`,
    ...block,
    mapText('labels', rule.labels),
    mapText('annotations', rule.annotations),
  ].join('');
}

/** A text in JSON is one in YAML. */
function mapText(name: string, entries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(entries).map(([key, value]) => `          ${key}: ${JSON.stringify(value)}\n`);
  return `        ${name}:\n${lines.join('')}`;
}
