import {
  type CostDimension,
  DAY_MS,
  HOUR_MS,
  type RollupDeviceRow,
  type RollupQuery,
  type RollupRow,
} from '../core/index.js';
import type { Database } from './database.js';

/** Reads sums of costs: of hours, and of days where there are no hours any more. */
export class CostSums {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  currencies(): { currency: string; fromMs: number; toMs: number }[] {
    return this.#database.rows(
      `SELECT currency, min(start_ms) AS fromMs, max(start_ms + span_ms) AS toMs FROM cost_device
       GROUP BY currency ORDER BY toMs DESC`,
    );
  }

  lines({ currency, fromMs, toMs, dimensions, periods }: RollupQuery): RollupRow[] {
    const columns = ['model', 'version', 'tenant', 'route', 'kind', 'device'] as const satisfies CostDimension[];
    const shown = columns.map((name) =>
      dimensions.includes(name) ? name : `${name === 'version' ? 0 : "''"} AS ${name}`,
    );
    const grouped = [...(periods ? ['start_ms'] : []), ...columns.filter((name) => dimensions.includes(name))];
    // Each span by itself, so that both are found by the index.
    return [DAY_MS, HOUR_MS]
      .flatMap((spanMs) =>
        this.#database.rows<Nulls<RollupRow>>(
          `SELECT min(start_ms) AS startMs, ${spanMs} AS spanMs, ${shown.join(', ')}, sum(device_seconds) AS deviceSeconds,
           sum(amount) AS amount, sum(requests) AS requests, sum(rows) AS rows, sum(alone_seconds) AS aloneSeconds,
           sum(energy_joules) AS energyJoules, sum(carbon_grams) AS carbonGrams
         FROM cost_line WHERE span_ms = ? AND start_ms >= ? AND start_ms < ? AND currency = ?
         ${grouped.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${grouped.join(', ')}`}`,
          spanMs,
          fromMs,
          toMs,
          currency,
        ),
      )
      .map(withoutNulls);
  }

  devices({ currency, fromMs, toMs }: Pick<RollupQuery, 'currency' | 'fromMs' | 'toMs'>): RollupDeviceRow[] {
    return this.#database
      .rows<Nulls<RollupDeviceRow>>(
        `SELECT start_ms AS startMs, span_ms AS spanMs, ${DEVICE_COLUMNS}
         FROM cost_device WHERE start_ms >= ? AND start_ms < ? AND currency = ? ORDER BY start_ms, device`,
        fromMs,
        toMs,
        currency,
      )
      .map(withoutNulls);
  }
}

export const DEVICE_COLUMNS = `device, elapsed_seconds AS elapsedSeconds, busy_seconds AS busySeconds, amount, direct, waste,
  idle, energy_joules AS energyJoules, carbon_grams AS carbonGrams`;

/** A row as the library has it. */
export type Nulls<Row> = Omit<Row, 'energyJoules' | 'carbonGrams'> & {
  readonly energyJoules: number | null;
  readonly carbonGrams: number | null;
};

export function withoutNulls<Row extends { energyJoules: number | null; carbonGrams: number | null }>(row: Row) {
  return { ...row, energyJoules: row.energyJoules ?? undefined, carbonGrams: row.carbonGrams ?? undefined };
}
