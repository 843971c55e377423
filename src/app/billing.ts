import { randomUUID } from 'node:crypto';
import type { ServerConfig } from '../config/index.js';
import {
  type BudgetBoard,
  type BudgetStatus,
  type Clock,
  type ClockTimer,
  type CostControl,
  type CostLedgerSource,
  type CostReport,
  type CostRequest,
  type DeviceReadings,
  type Log,
  type RollupStore,
  ServingError,
} from '../core/index.js';
import { Budgets, costReport, EnergyMeter, Rollups } from '../insight/index.js';
import { budgetEvent } from './cloud-event.js';
import type { Webhooks } from './webhooks.js';

export interface BillingParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: nothing is metered. */
  readonly ledger: CostLedgerSource | undefined;
  readonly store: RollupStore;
  readonly readings: DeviceReadings;
  readonly board: BudgetBoard;
  readonly webhooks: Pick<Webhooks, 'send'>;
}

/** Reports that may wait for the one that is made. */
const MOST_WAITING = 8;

/**
 * What is done with the ledger of a gateway: sums of hours are kept where a price is configured, budgets are watched, and it all is
 * told. Reads of earlier processes what budgets need when it is made.
 */
export class Billing implements CostControl {
  readonly #parts: BillingParts;
  readonly #rollups: Rollups;
  /** Undefined: there are none. */
  readonly #budgets: Budgets | undefined;
  readonly #everyMs: number;
  #writing: ClockTimer | undefined;
  #looking: ClockTimer | undefined;
  #reports: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor({ cost }: ServerConfig, parts: BillingParts) {
    const { ledger, store, log, clock, board } = parts;
    this.#parts = parts;
    this.#everyMs = cost.rollups.everySecs * 1000;
    const keeps = Object.keys(cost.devices).length > 0;
    const countsEnergy = keeps || cost.carbon.gramsPerKwh !== undefined;
    this.#rollups = new Rollups({
      ledger,
      store,
      keeps,
      energy: new EnergyMeter(countsEnergy ? parts.readings : { read: () => [] }),
      carbonOf: carbonOf(cost.carbon),
      log,
      run: randomUUID(),
      keep: { hours: cost.rollups.keepHours, days: cost.rollups.keepDays },
    });
    if (ledger !== undefined) this.#write();
    if (ledger === undefined || cost.budgets.length === 0) return;
    const tell = (...[notice, to]: Parameters<ConstructorParameters<typeof Budgets>[0]['tell']>) =>
      parts.webhooks.send(budgetEvent(notice), to);
    this.#budgets = new Budgets({ budgets: cost.budgets, board, ledger, store, log, tell }, clock.wallMs());
    this.#look();
  }

  /** Where budgets stand now. */
  budgets(): readonly BudgetStatus[] {
    this.#budgets?.look(this.#parts.clock.wallMs());
    return this.#budgets?.statuses() ?? [];
  }

  async report(request: CostRequest): Promise<CostReport> {
    if (this.#waiting >= MOST_WAITING)
      throw new ServingError('OVERLOADED', 'too many reports of costs are asked for at once');
    this.#waiting++;
    const made = this.#reports.then(() => this.#report(request));
    this.#reports = made.catch(() => {}); // who asked for it is told
    try {
      return await made;
    } finally {
      this.#waiting--;
    }
  }

  /** Writes what was counted to the end. To be called before the store is closed. */
  close(): void {
    this.#writing?.clear();
    this.#looking?.clear();
    this.#rollups.finish();
  }

  #report(request: CostRequest): Promise<CostReport> {
    const { clock, ledger } = this.#parts;
    return this.#rollups.read((source, live) =>
      costReport(source, request, {
        nowMs: clock.wallMs(),
        currency: live?.currency,
        live: ledger !== undefined,
        budgets: this.budgets(),
        pause: () => new Promise((resolve) => setImmediate(resolve)),
      }),
    );
  }

  #write(): void {
    const { clock } = this.#parts;
    this.#writing = clock.setTimer(clock.nowNs() + this.#everyMs * 1e6, () => {
      this.#rollups.write(clock.wallMs());
      this.#write();
    });
  }

  #look(): void {
    const { clock } = this.#parts;
    const waitMs = this.#budgets?.look(clock.wallMs()) ?? 0;
    this.#looking = clock.setTimer(clock.nowNs() + waitMs * 1e6, () => this.#look());
  }
}

/** Grams of carbon dioxide of the energy of an hour, by the hour of the day (UTC); undefined: no intensity is configured. */
function carbonOf({ gramsPerKwh, pue }: ServerConfig['cost']['carbon']) {
  if (gramsPerKwh === undefined) return undefined;
  return (joules: number, hourMs: number): number => {
    const intensity = typeof gramsPerKwh === 'number' ? gramsPerKwh : gramsPerKwh[new Date(hourMs).getUTCHours()]!;
    return (joules / 3.6e6) * pue * intensity;
  };
}
