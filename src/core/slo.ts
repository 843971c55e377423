/** What an SLO promises of a model's requests, or of the model. */
export const SLO_OBJECTIVES = ['availability', 'latency', 'quality', 'cost', 'freshness'] as const;

export type SloObjective =
  /** Requests are answered: failures by the server's fault spend its budget, see `spendsErrorBudget`. */
  | { readonly kind: 'availability' }
  /** Answered requests take at most so long. */
  | { readonly kind: 'latency'; readonly underMs: number }
  /** Predictions that feedback came for are right; or, of a metric of values, at least so high. */
  | { readonly kind: 'quality'; readonly metric: string; readonly atLeast: number | undefined }
  /** In each minute with requests, one of them costs at most so much, in the ledger's currency, waste included. */
  | { readonly kind: 'cost'; readonly perRequest: number }
  /** In each minute, the files of the version that serves, or the last answer, are at most so old. */
  | { readonly kind: 'freshness'; readonly of: 'version' | 'answer'; readonly maxAgeHours: number };

/** A service level objective. Plain data. */
export interface Slo {
  /** Unique; of one beside a model `MODEL/NAME`. */
  readonly name: string;
  readonly description: string;
  /** Undefined: every model; the same with version and route. */
  readonly model: string | undefined;
  readonly version: number | undefined;
  readonly route: string | undefined;
  readonly objective: SloObjective;
  /** Share of events that have to be good, above 0 and below 1. */
  readonly target: number;
  /** Over so many days, rolling. */
  readonly windowDays: number;
  /** No alert where the long window of one has fewer events. */
  readonly minEvents: number;
  /** Further labels of its alerts. */
  readonly labels: Readonly<Record<string, string>>;
  /** For who is woken: an address, or what to do. */
  readonly runbook: string;
  /** Names of webhooks; undefined: all. */
  readonly notify: readonly string[] | undefined;
}

/** How urgent an alert is: somebody is woken, or looks at it in working hours. */
export const SLO_SEVERITIES = ['page', 'ticket'] as const;
export type SloSeverity = (typeof SLO_SEVERITIES)[number];

/** An alert: the budget is spent so much faster than it lasts, over the long window, and still over the short one. */
export interface BurnAlert {
  readonly severity: SloSeverity;
  readonly longMinutes: number;
  readonly shortMinutes: number;
  /** 1 = the budget is spent just at the end of the SLO's window. */
  readonly rate: number;
}

/** Of the SRE Workbook (Google, chapter 5), for windows of 30 days: 2, 5, 10 and 10 percent of the budget. */
const WORKBOOK: readonly BurnAlert[] = [
  { severity: 'page', longMinutes: 60, shortMinutes: 5, rate: 14.4 },
  { severity: 'page', longMinutes: 360, shortMinutes: 30, rate: 6 },
  { severity: 'ticket', longMinutes: 1440, shortMinutes: 120, rate: 3 },
  { severity: 'ticket', longMinutes: 4320, shortMinutes: 360, rate: 1 },
];

/** Where all events are bad, the rate is 1 / (1 - target): an alert asks for at most so much of that. */
const REACHABLE = 0.8;

/** The alerts of an SLO; with a low target their rates are lowered to what can be reached. */
export function burnAlerts({ target }: Pick<Slo, 'target'>): readonly BurnAlert[] {
  const most = REACHABLE / (1 - target);
  return WORKBOOK.map((alert) => ({ ...alert, rate: Math.min(alert.rate, Math.round(most * 1e6) / 1e6) }));
}

/** Minutes of every window that alerts look at, ascending. */
export const BURN_WINDOW_MINUTES: readonly number[] = [
  ...new Set(WORKBOOK.flatMap(({ longMinutes, shortMinutes }) => [longMinutes, shortMinutes])),
].sort((a, b) => a - b);

/** `5m`, `6h`, `3d`: as Prometheus writes it. */
export function minutesText(minutes: number): string {
  if (minutes % 1440 === 0) return `${minutes / 1440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

/** What an SLO promises, in words. */
export function objectiveText({ objective }: Pick<Slo, 'objective'>): string {
  switch (objective.kind) {
    case 'availability':
      return 'requests are answered';
    case 'latency':
      return `answers take at most ${objective.underMs} ms`;
    case 'quality': {
      const { metric, atLeast } = objective;
      return atLeast === undefined ? `predictions are right (${metric})` : `${metric} is at least ${atLeast}`;
    }
    case 'cost':
      return `a request costs at most ${objective.perRequest}`;
    case 'freshness':
      return `${objective.of === 'version' ? 'the version' : 'the last answer'} is at most ${objective.maxAgeHours} h old`;
  }
}

/** How an SLO stands. */
export interface SloStatus {
  readonly slo: Slo;
  readonly state: SloState;
  /** Events of its window, and of them the good ones. */
  readonly events: number;
  readonly good: number;
  /** Part of the window's error budget that is left, below 0 where more was spent; 1 without events. */
  readonly budgetRemaining: number;
  /** Seconds of the window that are covered: what was before the process began is not known here. */
  readonly coveredSeconds: number;
  readonly burn: readonly { readonly minutes: number; readonly rate: number; readonly events: number }[];
  /** Why nothing can be counted; undefined: it can. */
  readonly missing: string | undefined;
}

/** The most urgent alert that holds; `ok`: none does. */
export type SloState = 'ok' | SloSeverity;

export const SLO_MOVES = {
  ok: ['page', 'ticket'],
  ticket: ['ok', 'page'],
  page: ['ok', 'ticket'],
} as const satisfies Readonly<Record<SloState, readonly SloState[]>>;

export interface SloSource {
  /** Of every SLO, by name. */
  statuses(): readonly SloStatus[];
  /** Wall clock of when counting began. */
  readonly sinceMs: number;
}
