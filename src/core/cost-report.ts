import type { CostDimension, RollupDevice, RollupKind } from './cost-rollup.js';

/** How time is told apart in a report. */
export const COST_PERIODS = ['hour', 'day', 'total'] as const;
export type CostPeriod = (typeof COST_PERIODS)[number];

/** What a report is asked for. */
export interface CostRequest {
  /** Milliseconds since the epoch; the hours that both lie in are whole. Default: a day ago, and now. */
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly by: CostPeriod;
  readonly group: readonly CostDimension[];
  /** Default: the one that was used last. */
  readonly currency: string | undefined;
}

/** Money by what it was spent on, and what it was spent for. Amounts in the currency of the report. */
export interface CostFigures {
  /** `direct` and `waste` and `idle` together. */
  readonly amount: number;
  readonly direct: number;
  readonly waste: number;
  readonly idle: number;
  /** The same by kind; kinds that there are. */
  readonly kinds: Readonly<Partial<Record<RollupKind, number>>>;
  /** Time on devices, without idle time, and idle time. */
  readonly deviceSeconds: number;
  readonly idleSeconds: number;
  /** That callers asked for (direct, canary); where kinds are told apart, of the kind. */
  readonly requests: number;
  readonly rows: number;
  /** Undefined where there was no request. */
  readonly perThousandRequests: number | undefined;
  readonly perMillionRows: number | undefined;
  /** Energy with that of the idle time; undefined: no counter. */
  readonly energyJoules: number | undefined;
  readonly carbonGrams: number | undefined;
}

/** One line of a report. Dimensions that were not asked for are absent; null: it belongs to nobody of them. */
export interface CostReportRow extends CostFigures {
  /** ISO 8601; absent in a total. */
  readonly from?: string;
  readonly to?: string;
  readonly model?: string | null;
  readonly version?: number | null;
  readonly tenant?: string | null;
  readonly route?: string | null;
  readonly kind?: RollupKind;
  readonly device?: string;
}

/** The balance of a device over the whole report. */
export interface CostReportDevice extends RollupDevice {
  /** `amount` by the hour: of a price that changed, the mean. */
  readonly pricePerHour: number;
}

/** What the month (UTC) will cost, if its remaining days are as the last ones were. */
export interface CostForecast {
  /** `2026-11`. */
  readonly month: string;
  readonly spent: number;
  readonly expected: number;
  /** Nine of ten months end between these, if days differ as they did; undefined: one day tells nothing of that. */
  readonly low: number | undefined;
  readonly high: number | undefined;
  /** Full days that it rests on. */
  readonly days: number;
}

/** Where a budget stands. */
export interface BudgetStatus {
  readonly name: string;
  readonly tenant?: string;
  readonly model?: string;
  readonly per: 'day' | 'month';
  readonly amount: number;
  readonly used: number;
  /** `used / amount`. */
  readonly usedRatio: number;
  readonly action: 'alert' | 'refuse';
  /** Requests are refused now. */
  readonly refusing: boolean;
  /** Since the process began. */
  readonly refusedRequests: number;
  /** ISO 8601. */
  readonly renews: string;
}

export interface CostReport {
  readonly currency: string;
  /** ISO 8601: what the report covers. */
  readonly from: string;
  readonly to: string;
  readonly by: CostPeriod;
  readonly group: readonly CostDimension[];
  /** What a running gateway has not written yet is in it. */
  readonly live: boolean;
  /** No price is configured: amounts are 0. */
  readonly unpriced: boolean;
  readonly rows: readonly CostReportRow[];
  readonly total: CostFigures;
  readonly devices: readonly CostReportDevice[];
  /** |price x time - all rows| / (price x time). */
  readonly conservationError: number;
  /** Direct requests of which it is known what they would have taken, each in an execution of its own; padding counts against it. */
  readonly batching: {
    readonly aloneSeconds: number;
    readonly actualSeconds: number;
    readonly savedSeconds: number;
    readonly savedAmount: number;
  };
  readonly shadowing: { readonly amount: number; readonly ratio: number };
  readonly canary: { readonly amount: number; readonly ratio: number };
  /** Undefined: not one full day is known. */
  readonly forecast: CostForecast | undefined;
  readonly budgets: readonly BudgetStatus[];
  /** Other currencies of what is kept: costs in them are in another report. */
  readonly otherCurrencies: readonly string[];
}

/** What the admin API tells of costs. */
export interface CostControl {
  /** Rejects with MALFORMED_REQUEST where the answer would be too long, OVERLOADED where too many ask. */
  report(request: CostRequest): Promise<CostReport>;
}
