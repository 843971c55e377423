import {
  DAY_MS,
  HOUR_MS,
  type RollupBatch,
  type RollupDevice,
  type RollupKey,
  type RollupLine,
  type RollupPeriod,
} from '../core/index.js';
import { CostSums, DEVICE_COLUMNS, type Nulls, withoutNulls } from './cost-sums.js';
import type { Database } from './database.js';

export interface CostLimits {
  /** Lines that one period may have; what comes beyond is added up by device and kind alone. */
  readonly linesOfPeriod: number;
  /** Processes whose last batch is known. */
  readonly runs: number;
  /** Notices of budgets. */
  readonly notices: number;
}

/** Whose lines they are where there are too many to tell apart. */
const TOO_MANY: Pick<RollupKey, 'model' | 'version' | 'tenant' | 'route'> = {
  model: '(others)',
  version: 0,
  tenant: '',
  route: '',
};

/** The rows behind `RollupStore`. Writes belong into a transaction of the caller's. */
export class CostTables {
  /** What is asked of them. */
  readonly sums: CostSums;
  readonly #database: Database;
  readonly #limits: CostLimits;
  /** Keys of the lines of a period, by span and start; of the periods that were written last. */
  readonly #keys = new Map<string, Set<string>>();

  constructor(database: Database, limits: CostLimits) {
    this.sums = new CostSums(database);
    this.#database = database;
    this.#limits = limits;
  }

  /** What is remembered of the tables may not be so. */
  rolledBack(): void {
    this.#keys.clear();
  }

  add({ run, sequence, sinceMs, atMs, currency, hours }: RollupBatch): void {
    if (this.sequenceOf(run) >= sequence) return;
    this.#database.run(
      `INSERT INTO cost_run (id, since_ms, at_ms, sequence) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, sequence = excluded.sequence`,
      run,
      Math.round(sinceMs),
      Math.round(atMs),
      sequence,
    );
    for (const hour of hours) this.#addPeriod(hour, currency);
    if (sequence > 1) return;
    this.#database.run(
      'DELETE FROM cost_run WHERE id NOT IN (SELECT id FROM cost_run ORDER BY at_ms DESC LIMIT ?)',
      this.#limits.runs,
    );
  }

  sequenceOf(run: string): number {
    return this.#database.row<{ sequence: number }>('SELECT sequence FROM cost_run WHERE id = ?', run)?.sequence ?? 0;
  }

  compact(beforeMs: number, dropMs: number): boolean {
    const before = Math.floor(beforeMs / DAY_MS) * DAY_MS;
    const oldest = this.#database.row<{ startMs: number | null }>(
      'SELECT min(start_ms) AS startMs FROM cost_device WHERE span_ms = ? AND start_ms < ?',
      HOUR_MS,
      before,
    )?.startMs;
    const dropped = this.#database.row(
      'SELECT 1 FROM cost_device WHERE span_ms = ? AND start_ms < ? LIMIT 1',
      DAY_MS,
      dropMs - DAY_MS,
    );
    if (dropped !== undefined) this.#drop(DAY_MS, 'start_ms < ?', dropMs - DAY_MS);
    if (oldest === undefined || oldest === null) return dropped !== undefined;
    this.#intoDay(oldest);
    return true;
  }

  noteOnce(budget: string, periodMs: number, threshold: number): boolean {
    const known = this.#database.row(
      'SELECT 1 FROM budget_notice WHERE budget = ? AND period_ms = ? AND threshold = ?',
      budget,
      periodMs,
      threshold,
    );
    if (known !== undefined) return false;
    this.#database.run('INSERT INTO budget_notice VALUES (?, ?, ?)', budget, periodMs, threshold);
    this.#database.run(
      `DELETE FROM budget_notice WHERE (budget, period_ms, threshold) NOT IN (
         SELECT budget, period_ms, threshold FROM budget_notice ORDER BY period_ms DESC LIMIT ?)`,
      this.#limits.notices,
    );
    return true;
  }

  #addPeriod({ startMs, spanMs, lines, devices }: RollupPeriod, currency: string): void {
    const keys = this.#keysOf(startMs, spanMs);
    for (const line of lines) this.#addLine(startMs, spanMs, currency, this.#bounded(line, currency, keys));
    for (const device of devices) this.#addDevice(startMs, spanMs, currency, device);
  }

  #addLine(startMs: number, spanMs: number, currency: string, line: RollupLine): void {
    this.#database.run(
      `INSERT INTO cost_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET device_seconds = device_seconds + excluded.device_seconds,
         amount = amount + excluded.amount, requests = requests + excluded.requests, rows = rows + excluded.rows,
         alone_seconds = alone_seconds + excluded.alone_seconds, ${ADD_ENERGY}`,
      spanMs,
      startMs,
      currency,
      line.device,
      line.model,
      line.version,
      line.tenant,
      line.route,
      line.kind,
      line.deviceSeconds,
      line.amount,
      line.requests,
      line.rows,
      line.aloneSeconds,
      line.energyJoules ?? null,
      line.carbonGrams ?? null,
    );
  }

  #addDevice(startMs: number, spanMs: number, currency: string, device: RollupDevice): void {
    this.#database.run(
      `INSERT INTO cost_device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET elapsed_seconds = elapsed_seconds + excluded.elapsed_seconds,
         busy_seconds = busy_seconds + excluded.busy_seconds, amount = amount + excluded.amount,
         direct = direct + excluded.direct, waste = waste + excluded.waste, idle = idle + excluded.idle, ${ADD_ENERGY}`,
      spanMs,
      startMs,
      currency,
      device.device,
      device.elapsedSeconds,
      device.busySeconds,
      device.amount,
      device.direct,
      device.waste,
      device.idle,
      device.energyJoules ?? null,
      device.carbonGrams ?? null,
    );
  }

  #bounded(line: RollupLine, currency: string, keys: Set<string>): RollupLine {
    const key = keyOf(line, currency);
    if (keys.has(key)) return line;
    if (keys.size >= this.#limits.linesOfPeriod) return { ...line, ...TOO_MANY };
    keys.add(key);
    return line;
  }

  #keysOf(startMs: number, spanMs: number): Set<string> {
    const period = `${spanMs}/${startMs}`;
    let keys = this.#keys.get(period);
    if (keys === undefined) {
      const rows = this.#database.rows<RollupKey & { currency: string }>(
        'SELECT currency, device, model, version, tenant, route, kind FROM cost_line WHERE span_ms = ? AND start_ms = ?',
        spanMs,
        startMs,
      );
      keys = new Set(rows.map((row) => keyOf(row, row.currency)));
      if (this.#keys.size >= 4) this.#keys.clear();
      this.#keys.set(period, keys);
    }
    return keys;
  }

  #intoDay(hourMs: number): void {
    const { currencies, startMs } = {
      currencies: this.sums.currencies(),
      startMs: Math.floor(hourMs / DAY_MS) * DAY_MS,
    };
    for (const { currency } of currencies) {
      const lines = this.#database
        .rows<Nulls<RollupLine>>(
          `SELECT device, model, version, tenant, route, kind, device_seconds AS deviceSeconds, amount, requests, rows,
             alone_seconds AS aloneSeconds, energy_joules AS energyJoules, carbon_grams AS carbonGrams
           FROM cost_line WHERE span_ms = ? AND start_ms = ? AND currency = ?`,
          HOUR_MS,
          hourMs,
          currency,
        )
        .map(withoutNulls);
      const devices = this.#database
        .rows<Nulls<RollupDevice>>(
          `SELECT ${DEVICE_COLUMNS} FROM cost_device WHERE span_ms = ? AND start_ms = ? AND currency = ?`,
          HOUR_MS,
          hourMs,
          currency,
        )
        .map(withoutNulls);
      this.#addPeriod({ startMs, spanMs: DAY_MS, lines, devices }, currency);
    }
    this.#drop(HOUR_MS, 'start_ms = ?', hourMs);
  }

  #drop(spanMs: number, where: string, value: number): void {
    for (const table of ['cost_line', 'cost_device'])
      this.#database.run(`DELETE FROM ${table} WHERE span_ms = ? AND ${where}`, spanMs, value);
  }
}

/** What has no counter adds nothing, and nothing stays nothing. */
const ADD_ENERGY = ['energy_joules', 'carbon_grams']
  .map(
    (name) =>
      `${name} = CASE WHEN excluded.${name} IS NULL THEN ${name} ELSE coalesce(${name}, 0) + excluded.${name} END`,
  )
  .join(', ');

function keyOf({ device, model, version, tenant, route, kind }: RollupKey, currency: string): string {
  return [currency, device, model, version, tenant, route, kind].join('\0');
}
