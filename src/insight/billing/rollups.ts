import {
  type CostLedgerSource,
  DAY_MS,
  HOUR_MS,
  type LedgerSnapshot,
  type Log,
  type RollupBatch,
  type RollupStore,
} from '../../core/index.js';
import type { CostSource } from './cost-source.js';
import type { EnergyMeter } from './energy-meter.js';
import { intervalBetween } from './interval.js';
import { type CarbonOf, overHours } from './over-hours.js';
import { PeriodSums } from './period-sums.js';
import { unwrittenRows } from './unwritten-rows.js';

export interface RollupsOptions {
  /** Undefined: nothing is metered, only what is kept is read. */
  readonly ledger: CostLedgerSource | undefined;
  readonly store: RollupStore;
  /** Whether anything is written; else all is in memory, until the process ends. */
  readonly keeps: boolean;
  readonly energy: EnergyMeter;
  readonly carbonOf: CarbonOf;
  readonly log: Log;
  /** Of this process; never used again. */
  readonly run: string;
  readonly keep: { readonly hours: number; readonly days: number };
}

/** Hours that may wait to be written; what comes after goes into the last of them. */
const MOST_WAITING = 72;
/** Hours that become parts of their days after one write. */
const MOST_COMPACTED = 2;

/**
 * Carries what the ledger of this process counted into the store, once: each instant is in a batch, and each batch has a number that the
 * store knows. What could not be written is written later.
 */
export class Rollups {
  readonly #options: RollupsOptions;
  readonly #waiting = new PeriodSums(MOST_WAITING);
  #taken: LedgerSnapshot | undefined;
  /** Handed to the store, which has not said that it has it. */
  #sent: RollupBatch | undefined;
  #sequence = 0;
  #readers = 0;
  /** When a write was due that readers put off. */
  #dueMs: number | undefined;
  #failing = false;

  constructor(options: RollupsOptions) {
    this.#options = options;
  }

  /** What the ledger counted last; undefined before the first write. */
  get taken(): LedgerSnapshot | undefined {
    return this.#taken;
  }

  /**
   * Writes what was counted since the last time, in one transaction; where somebody reads, when the last of them is done. Never throws: what cannot be written is
   * kept, and said in the log once.
   */
  write(nowMs: number): void {
    this.#dueMs = this.#readers > 0 ? nowMs : undefined;
    if (this.#readers > 0) return;
    this.finish();
    const { store, keep, keeps } = this.#options;
    if (!keeps || this.#failing || this.#taken === undefined) return;
    try {
      for (let i = 0; i < MOST_COMPACTED; i++)
        if (!store.compact(nowMs - keep.hours * HOUR_MS, nowMs - keep.days * DAY_MS)) break;
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Writes the last, whoever reads. */
  finish(): void {
    this.#take();
    if (!this.#options.keeps) return;
    try {
      this.#send();
      if (this.#failing) this.#options.log.info('costs are written again');
      this.#failing = false;
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Reads what is kept together with what is not written yet; nothing moves from the one to the other meanwhile. */
  async read<T>(work: (source: CostSource, live: LedgerSnapshot | undefined) => Promise<T>): Promise<T> {
    if (this.#readers === 0) this.#take();
    this.#readers++;
    try {
      return await work(this.#source(), this.#taken);
    } finally {
      this.#readers--;
      if (this.#readers === 0 && this.#dueMs !== undefined) this.write(this.#dueMs);
    }
  }

  #source(): CostSource {
    const { store } = this.#options;
    const sent = this.#sent;
    const unsure = sent !== undefined && store.sequenceOf(sent.run) < sent.sequence ? sent.hours : [];
    const periods = [...unsure, ...this.#waiting.periods()];
    return unwrittenRows(store, periods, this.#taken?.currency);
  }

  /** Takes in what was counted since the last time. */
  #take(): void {
    const { ledger, energy, carbonOf } = this.#options;
    if (ledger === undefined) return;
    const now = ledger.snapshot();
    const interval = intervalBetween(this.#taken, now, (devices) => energy.since(devices));
    this.#taken = now;
    for (const period of overHours(interval, carbonOf)) this.#waiting.add(period);
  }

  #send(): void {
    const { store, run } = this.#options;
    if (this.#sent !== undefined) store.add(this.#sent);
    this.#sent = undefined;
    const taken = this.#taken;
    if (taken === undefined || this.#waiting.empty) return;
    const { sinceMs, atMs, currency } = taken;
    this.#sequence++;
    this.#sent = { run, sequence: this.#sequence, sinceMs, atMs, currency, hours: this.#waiting.periods() };
    this.#waiting.clear();
    store.add(this.#sent);
    this.#sent = undefined;
  }

  #failed(thrown: unknown): void {
    const { cause, message } = thrown as Error;
    if (!this.#failing)
      this.#options.log.error('costs cannot be written; they are kept in memory and written when they can be', {
        why: message,
        cause,
      });
    this.#failing = true;
  }
}
