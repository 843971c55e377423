import {
  type BudgetStatus,
  type CostDimension,
  type CostFigures,
  type CostPeriod,
  type CostReport,
  type CostReportDevice,
  type CostReportRow,
  type CostRequest,
  DAY_MS,
  HOUR_MS,
  type RollupRow,
  ServingError,
} from '../../core/index.js';
import type { CostSource } from './cost-source.js';
import { FigureSums } from './figures.js';
import { forecastOf } from './forecast.js';
import { sumOfDevices } from './period-sums.js';

export interface ReportSurroundings {
  readonly nowMs: number;
  /** Of the ledger that runs; undefined: none does. */
  readonly currency: string | undefined;
  /** A gateway runs: its ledger is in it. */
  readonly live: boolean;
  readonly budgets: readonly BudgetStatus[];
  /** Lets others have the thread, between parts of what is read. */
  readonly pause: () => Promise<void>;
}

/** Rows of an answer. */
const MOST_ROWS = 10_000;
/** What is read at once; a day has a whole number of them. */
const PART_MS = 4 * HOUR_MS;
const DEFAULT_SPAN_MS = DAY_MS;

/**
 * What was spent, by period and group. Reads some hours at a time and lets others have the thread between. Rejects with MALFORMED_REQUEST where
 * it would have more than 10,000 rows.
 */
export async function costReport(
  source: CostSource,
  request: CostRequest,
  surroundings: ReportSurroundings,
): Promise<CostReport> {
  const { nowMs, live, budgets } = surroundings;
  const kept = source.currencies();
  const currency = request.currency ?? surroundings.currency ?? kept[0]?.currency ?? '';
  const toMs = Math.ceil((request.toMs ?? nowMs) / HOUR_MS) * HOUR_MS;
  const fromMs = Math.floor((request.fromMs ?? Math.min(nowMs, toMs) - DEFAULT_SPAN_MS) / HOUR_MS) * HOUR_MS;
  if (fromMs >= toMs) throw new ServingError('MALFORMED_REQUEST', '"from" is not before "to"');
  const known = kept.find((one) => one.currency === currency);
  const sums = new ReportSums(request.by, request.group);
  // A part lies within one day, so that only hours have to be told apart in it.
  const part = { currency, dimensions: sums.dimensions, periods: request.by === 'hour' };
  const lastMs = Math.min(toMs, known?.toMs ?? fromMs);
  for (let at = Math.max(fromMs, known?.fromMs ?? toMs); at < lastMs; at = nextPart(at)) {
    for (const row of source.lines({ ...part, fromMs: at, toMs: Math.min(nextPart(at), lastMs) })) sums.add(row);
    await surroundings.pause();
  }
  const devices = devicesOf(source, { currency, fromMs, toMs });
  const total = sums.total();
  const priced = devices.reduce((sum, { amount }) => sum + amount, 0);
  return {
    currency,
    from: iso(Math.max(fromMs, Math.min(known?.fromMs ?? fromMs, toMs))),
    to: iso(Math.min(toMs, Math.max(nowMs, fromMs))),
    by: request.by,
    group: sums.group,
    live,
    unpriced: priced === 0,
    rows: sums.rows(),
    total,
    devices,
    conservationError: priced === 0 ? Math.abs(total.amount) : Math.abs(priced - total.amount) / priced,
    batching: sums.batching(),
    shadowing: shareOf(total, 'shadow'),
    canary: shareOf(total, 'canary'),
    forecast: forecastOf(source, currency, nowMs),
    budgets,
    otherCurrencies: kept.map((one) => one.currency).filter((one) => one !== currency),
  };
}

function nextPart(atMs: number): number {
  return (Math.floor(atMs / PART_MS) + 1) * PART_MS;
}

const iso = (ms: number) => new Date(ms).toISOString();

function shareOf({ kinds, amount }: CostFigures, kind: 'shadow' | 'canary'): CostReport['shadowing'] {
  const of = kinds[kind] ?? 0;
  return { amount: of, ratio: amount === 0 ? 0 : of / amount };
}

function devicesOf(source: CostSource, query: { currency: string; fromMs: number; toMs: number }): CostReportDevice[] {
  const sums = new Map<string, ReturnType<typeof sumOfDevices>>();
  for (const { startMs: _, spanMs: __, ...row } of source.devices(query)) {
    const known = sums.get(row.device);
    sums.set(row.device, known === undefined ? row : sumOfDevices(known, row));
  }
  return [...sums.values()].map((device) => ({
    ...device,
    pricePerHour: device.elapsedSeconds === 0 ? 0 : (device.amount / device.elapsedSeconds) * 3600,
  }));
}

interface Group {
  readonly row: Omit<CostReportRow, keyof CostFigures>;
  readonly sort: readonly (string | number)[];
  readonly sums: FigureSums;
}

/** Rows of the store on their way to those of a report. */
class ReportSums {
  readonly group: readonly CostDimension[];
  readonly #by: CostPeriod;
  readonly #groups = new Map<string, Group>();
  readonly #total: FigureSums;
  readonly #batching = { aloneSeconds: 0, actualSeconds: 0, savedAmount: 0 };

  constructor(by: CostPeriod, group: readonly CostDimension[]) {
    this.#by = by;
    // A version is one of a model.
    const whole = new Set(group.flatMap((name) => (name === 'version' ? (['model', name] as const) : [name])));
    this.group = [...whole];
    this.#total = new FigureSums(this.group.includes('kind'));
  }

  /** Of what is read: kinds and devices are always told apart. */
  get dimensions(): readonly CostDimension[] {
    return [...new Set([...this.group, 'kind', 'device'] as const)];
  }

  add(row: RollupRow): void {
    const dimensions = this.group.map((name) => [name, dimensionOf(row, name)] as const);
    const period = this.#periodOf(row);
    const key = JSON.stringify([period?.[0], ...dimensions.map(([, value]) => value)]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MOST_ROWS)
        throw new ServingError(
          'MALFORMED_REQUEST',
          `the answer would have more than ${MOST_ROWS} rows: ask for less time, a longer period ("by") or fewer dimensions ("group")`,
        );
      group = {
        row: {
          ...(period === undefined ? {} : { from: iso(period[0]), to: iso(period[1]) }),
          ...Object.fromEntries(dimensions),
        },
        sort: [period?.[0] ?? 0, ...dimensions.map(([, value]) => value ?? LAST)],
        sums: new FigureSums(this.group.includes('kind')),
      };
      this.#groups.set(key, group);
    }
    group.sums.add(row);
    this.#total.add(row);
    this.#addBatching(row);
  }

  rows(): CostReportRow[] {
    return [...this.#groups.values()]
      .sort((one, other) => compared(one.sort, other.sort))
      .map(({ row, sums }) => ({ ...row, ...sums.figures() }));
  }

  total(): CostFigures {
    return this.#total.figures();
  }

  batching(): CostReport['batching'] {
    const { aloneSeconds, actualSeconds, savedAmount } = this.#batching;
    return { aloneSeconds, actualSeconds, savedSeconds: aloneSeconds - actualSeconds, savedAmount };
  }

  #addBatching({ kind, aloneSeconds, deviceSeconds, amount }: RollupRow): void {
    const counts = kind === 'padding' || (kind === 'direct' && aloneSeconds > 0);
    if (!counts || deviceSeconds === 0) return;
    const sums = this.#batching;
    sums.aloneSeconds += aloneSeconds;
    sums.actualSeconds += deviceSeconds;
    sums.savedAmount += (aloneSeconds / deviceSeconds - 1) * amount;
  }

  #periodOf({ startMs, spanMs }: RollupRow): readonly [number, number] | undefined {
    if (this.#by === 'total') return undefined;
    if (this.#by === 'hour') return [startMs, startMs + spanMs];
    const day = Math.floor(startMs / DAY_MS) * DAY_MS;
    return [day, day + DAY_MS];
  }
}

/** Behind every name. */
const LAST = '\u{10ffff}';

/** Null where a row belongs to nobody: what is idle has no tenant, and waste neither. */
function dimensionOf(row: RollupRow, name: CostDimension): string | number | null {
  if (name === 'kind' || name === 'device') return row[name];
  if (name === 'model') return row.model === '' ? null : row.model;
  if (name === 'version') return row.model === '' ? null : row.version;
  return row.kind === 'direct' || row[name] !== '' ? row[name] : null;
}

function compared(one: readonly (string | number)[], other: readonly (string | number)[]): number {
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i]!, other[i]!];
    if (a !== b) return typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1;
  }
  return 0;
}
