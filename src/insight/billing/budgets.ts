import {
  type BudgetBoard,
  type BudgetNotice,
  type BudgetSpec,
  type BudgetStatus,
  type CostLedgerSource,
  DAY_MS,
  type LedgerSnapshot,
  type Log,
  type RollupKind,
  type RollupStore,
} from '../../core/index.js';

export interface BudgetsOptions {
  /** In the order of the board. */
  readonly budgets: readonly BudgetSpec[];
  readonly board: BudgetBoard;
  readonly ledger: CostLedgerSource;
  readonly store: RollupStore;
  readonly log: Log;
  readonly tell: (notice: BudgetNotice, to: readonly string[] | undefined) => void;
}

/** Of a model's budget: not idle time, and not what a rollout tries. */
const OF_MODELS: readonly RollupKind[] = ['direct', 'padding', 'failed', 'retried', 'warm_up'];

/** Waits between two looks, in milliseconds. */
const LEAST_WAIT_MS = 100;
const MOST_WAIT_MS = 10_000;

interface Budget {
  readonly spec: BudgetSpec;
  readonly place: number;
  /** What the ledger counts is added to this. */
  base: number;
  used: number;
  periodMs: number;
  renewsMs: number;
  /** Thresholds not reached yet in this period, the lowest first. */
  ahead: number[];
  refused: number;
}

/** Spent so far, by tenant and by model. */
interface Spent {
  readonly tenants: ReadonlyMap<string, number>;
  readonly models: ReadonlyMap<string, number>;
}

/**
 * Where budgets stand: what earlier processes spent in the running period is read once, what this one spends is counted by the ledger. What is
 * looked at no sooner than a threshold can be reached: nothing is spent faster than the price of all devices.
 */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #budgets: readonly Budget[];

  constructor(options: BudgetsOptions, nowMs: number) {
    this.#options = options;
    const { currency } = options.ledger.snapshot();
    this.#budgets = options.budgets.map((spec, place) => ({
      spec,
      place,
      base: 0,
      used: 0,
      ...periodOf(spec.per, nowMs),
      ahead: thresholdsOf(spec),
      refused: 0,
    }));
    for (const per of ['day', 'month'] as const) this.#restore(per, nowMs, currency);
  }

  /** Looks where budgets stand, tells and refuses; how long it may be until the next look, in milliseconds. */
  look(nowMs: number): number {
    const snapshot = this.#options.ledger.snapshot();
    const spent = spentIn(snapshot);
    const { perMs, running } = ratesOf(snapshot);
    let waitMs = MOST_WAIT_MS;
    for (const budget of this.#budgets) {
      const live = of(spent, budget.spec);
      if (nowMs >= budget.renewsMs) this.#renew(budget, live, nowMs);
      budget.used = budget.base + live;
      this.#act(budget, snapshot.currency, nowMs);
      const next = budget.ahead[0];
      const left = next === undefined ? Number.POSITIVE_INFINITY : next * budget.spec.amount - budget.used - running;
      waitMs = Math.min(waitMs, perMs === 0 ? MOST_WAIT_MS : left / perMs, budget.renewsMs - nowMs);
    }
    return Math.max(LEAST_WAIT_MS, waitMs);
  }

  statuses(): BudgetStatus[] {
    return this.#budgets.map((budget) => {
      const { name, tenant, model, per, amount, action } = budget.spec;
      budget.refused += this.#options.board.takeRefused(budget.place);
      return {
        name,
        ...(tenant === undefined ? {} : { tenant }),
        ...(model === undefined ? {} : { model }),
        per,
        amount,
        used: budget.used,
        usedRatio: budget.used / amount,
        action,
        refusing: this.#refusing(budget),
        refusedRequests: budget.refused,
        renews: new Date(budget.renewsMs).toISOString(),
      };
    });
  }

  /** Adds what earlier processes spent. */
  #restore(per: BudgetSpec['per'], nowMs: number, currency: string): void {
    const budgets = this.#budgets.filter(({ spec }) => spec.per === per);
    if (budgets.length === 0) return;
    const { periodMs: fromMs, renewsMs: toMs } = periodOf(per, nowMs);
    const query = { currency, fromMs, toMs, dimensions: ['model', 'tenant', 'kind'] as const, periods: false };
    const spent = spentIn({ lines: this.#options.store.lines(query) });
    for (const budget of budgets) budget.base = of(spent, budget.spec);
  }

  #renew(budget: Budget, live: number, nowMs: number): void {
    const { spec, place } = budget;
    if (this.#refusing(budget)) this.#options.log.info('a budget begins anew', { budget: spec.name });
    this.#options.board.set(place, 0);
    Object.assign(budget, periodOf(spec.per, nowMs), { base: -live, ahead: thresholdsOf(spec) });
  }

  #act(budget: Budget, currency: string, nowMs: number): void {
    const { spec, place, used, renewsMs } = budget;
    const { board } = this.#options;
    if (spec.action === 'refuse' && used >= spec.amount && !this.#refusing(budget)) board.set(place, renewsMs);
    while (budget.ahead[0] !== undefined && used >= budget.ahead[0] * spec.amount) {
      this.#tell(budget, budget.ahead[0], currency, nowMs);
      budget.ahead.shift();
    }
  }

  #refusing({ place }: Budget): boolean {
    return this.#options.board.untilMs(place) !== 0;
  }

  /** Each threshold once in a period, over restarts too. */
  #tell(budget: Budget, threshold: number, currency: string, atMs: number): void {
    const { log, tell } = this.#options;
    const { spec, used, periodMs, renewsMs } = budget;
    if (!this.#noted(spec.name, periodMs, threshold)) return;
    const refusing = this.#refusing(budget);
    const { name, tenant, model, amount, per, action } = spec;
    const whose = { ...(tenant === undefined ? {} : { tenant }), ...(model === undefined ? {} : { model }) };
    const message = refusing ? 'a budget is used up: requests are refused' : 'a budget is used to a threshold';
    const renews = new Date(renewsMs).toISOString();
    log.warn(message, { budget: name, ...whose, used, amount, currency, threshold, per, renews });
    const notice = { budget: name, ...whose, currency, amount, used, threshold, per, action, refusing };
    tell({ ...notice, periodMs, renewsMs, atMs }, spec.notify);
  }

  #noted(name: string, periodMs: number, threshold: number): boolean {
    try {
      return this.#options.store.noteOnce(name, periodMs, threshold);
    } catch {
      return true; // told twice rather than never
    }
  }
}

/** Of money spent in milliseconds, at most; and spent by executions that have not ended. */
function ratesOf({ devices }: LedgerSnapshot): { perMs: number; running: number } {
  let perMs = 0;
  let running = 0;
  for (const { pricePerHour, runningSeconds } of devices) {
    perMs += pricePerHour / 3_600_000;
    running += (pricePerHour / 3600) * runningSeconds;
  }
  return { perMs, running };
}

function spentIn({ lines }: { readonly lines: LedgerSnapshot['lines'] | ReturnType<RollupStore['lines']> }): Spent {
  const tenants = new Map<string, number>();
  const models = new Map<string, number>();
  for (const { model, tenant, kind, amount } of lines) {
    if (OF_MODELS.includes(kind)) models.set(model, (models.get(model) ?? 0) + amount);
    if (kind === 'direct') tenants.set(tenant, (tenants.get(tenant) ?? 0) + amount);
  }
  return { tenants, models };
}

function of({ tenants, models }: Spent, { tenant, model }: BudgetSpec): number {
  return (tenant === undefined ? models.get(model ?? '') : tenants.get(tenant)) ?? 0;
}

/** Who is refused is told so. */
function thresholdsOf({ alertAt, action }: BudgetSpec): number[] {
  return [...new Set([...alertAt, ...(action === 'refuse' ? [1] : [])])].sort((one, other) => one - other);
}

function periodOf(per: BudgetSpec['per'], nowMs: number): { periodMs: number; renewsMs: number } {
  if (per === 'day') {
    const periodMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
    return { periodMs, renewsMs: periodMs + DAY_MS };
  }
  const now = new Date(nowMs);
  const month = (ahead: number) => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead);
  return { periodMs: month(0), renewsMs: month(1) };
}
