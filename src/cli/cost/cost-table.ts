import {
  COST_KINDS,
  type CostDimension,
  type CostFigures,
  type CostReport,
  type CostReportRow,
  type RollupKind,
} from '../../core/index.js';
import { moneyText, roundedTo, unitsOf } from './money.js';

const KIND_HEADS: Readonly<Record<RollupKind, string>> = {
  direct: 'DIRECT',
  padding: 'PADDING',
  failed: 'FAILED',
  retried: 'RETRIED',
  warm_up: 'WARM-UP',
  canary: 'CANARY',
  shadow: 'SHADOW',
  idle: 'IDLE',
};

/** What stands for a dimension that a row has none of, and for one that is empty. */
const NOBODY: Readonly<Partial<Record<CostDimension, readonly [none: string, empty: string]>>> = {
  model: ['(nobody)', '(nobody)'],
  version: ['-', '-'],
  tenant: ['-', '(no tenant)'],
  route: ['-', '(no route)'],
};

/** Cells of a report: a row each, and one of totals. Every column adds up to its total, and every row to its own. */
export interface CostTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function costTable(report: CostReport, decimals: number): CostTable {
  const { rows, total, by, group, unpriced } = report;
  const labels = [...(by === 'total' ? [] : [by === 'hour' ? 'HOUR (UTC)' : 'DAY (UTC)']), ...group.map(upper)];
  const titles = labels.length === 0 ? [''] : labels;
  const figures = unpriced ? timeColumns(report) : moneyColumns(report, decimals);
  const cells = rows.map((row, i) => [...labelsOf(row, report, titles.length), ...figures.map(({ of }) => of(row, i))]);
  const last = [['total', ...titles.slice(1).map(() => '')], figures.map(({ of }) => of(total, rows.length))].flat();
  return { header: [...titles, ...figures.map(({ head }) => head)], rows: [...cells, last] };
}

interface Column {
  readonly head: string;
  /** `index`: that of the row; of the total, the number of rows. */
  readonly of: (row: CostFigures, index: number) => string;
}

const REQUESTS: Column = { head: 'REQUESTS', of: ({ requests }) => String(requests) };
const ROWS: Column = { head: 'ROWS', of: ({ rows }) => String(rows) };

function moneyColumns(report: CostReport, decimals: number): Column[] {
  const { rows, total, group } = report;
  const kinds = group.includes('kind') ? [] : [...COST_KINDS, 'idle' as const].filter(shownIn(total));
  const columns = roundedColumns(report, kinds, decimals);
  const sums = columns.length === 0 ? roundedTotals(report, decimals) : rowSums(columns);
  const each = (value: (figures: CostFigures) => number | undefined) => (figures: CostFigures) => {
    const amount = value(figures);
    return amount === undefined ? '-' : amount.toPrecision(4);
  };
  return [
    REQUESTS,
    ROWS,
    ...kinds.map((kind, column) => ({
      head: KIND_HEADS[kind],
      of: (_: CostFigures, index: number) => moneyText(columns[column]![index]!, decimals),
    })),
    {
      head: `TOTAL ${report.currency}`,
      of: (_: CostFigures, index: number) => moneyText(sums[index]!, decimals),
    },
    { head: 'PER 1000 REQ', of: each(({ perThousandRequests }) => perThousandRequests) },
    { head: 'PER 1M ROWS', of: each(({ perMillionRows }) => perMillionRows) },
    ...energyColumns(rows, total),
  ];
}

/** Direct and idle always, else kinds that something was spent on. */
function shownIn({ kinds }: CostFigures): (kind: RollupKind) => boolean {
  return (kind) => kind === 'direct' || kind === 'idle' || (kinds[kind] ?? 0) !== 0;
}

/** The total of a report divided over kinds, in units of the last digit. */
export function unitsOfKinds({ total }: CostReport, decimals: number): ReadonlyMap<RollupKind, number> {
  const kinds = [...COST_KINDS, 'idle' as const];
  const amounts = kinds.map((kind) => total.kinds[kind] ?? 0);
  const units = roundedTo(unitsOf(total.amount, decimals), amounts, decimals);
  return new Map(kinds.map((kind, i) => [kind, units[i]!]));
}

/** Each kind divided over rows: a column's cells, then its total. */
function roundedColumns(report: CostReport, kinds: readonly RollupKind[], decimals: number): number[][] {
  const totals = unitsOfKinds(report, decimals);
  return kinds.map((kind) => {
    const units = totals.get(kind) ?? 0;
    const amounts = report.rows.map((row) => row.kinds[kind] ?? 0);
    return [...roundedTo(units, amounts, decimals), units];
  });
}

function rowSums(columns: readonly (readonly number[])[]): number[] {
  return columns[0]!.map((_, row) => columns.reduce((sum, column) => sum + column[row]!, 0));
}

function roundedTotals({ rows, total }: CostReport, decimals: number): number[] {
  const units = unitsOf(total.amount, decimals);
  const amounts = rows.map(({ amount }) => amount);
  return [...roundedTo(units, amounts, decimals), units];
}

function timeColumns({ rows, total }: CostReport): Column[] {
  return [
    REQUESTS,
    ROWS,
    { head: 'BUSY s', of: ({ deviceSeconds }) => deviceSeconds.toFixed(3) },
    { head: 'IDLE s', of: ({ idleSeconds }) => idleSeconds.toFixed(3) },
    ...energyColumns(rows, total),
  ];
}

function energyColumns(rows: readonly CostFigures[], total: CostFigures): Column[] {
  const some = (value: (row: CostFigures) => number | undefined) =>
    [...rows, total].some((row) => value(row) !== undefined);
  const shown = (value: number | undefined, digits: number) => (value === undefined ? '-' : value.toFixed(digits));
  return [
    ...(some(({ energyJoules }) => energyJoules)
      ? [{ head: 'Wh', of: ({ energyJoules: j }: CostFigures) => shown(j === undefined ? j : j / 3600, 3) }]
      : []),
    ...(some(({ carbonGrams }) => carbonGrams)
      ? [{ head: 'g CO2', of: ({ carbonGrams }: CostFigures) => shown(carbonGrams, 3) }]
      : []),
  ];
}

function upper(name: CostDimension): string {
  return name.toUpperCase();
}

function labelsOf(row: CostReportRow, { by, group }: CostReport, count: number): string[] {
  const period = row.from === undefined ? [] : [periodText(row.from, row.to ?? '', by === 'hour')];
  const names = group.map((name) => {
    const value = row[name];
    const [none, empty] = NOBODY[name] ?? ['-', '-'];
    if (value === null || value === undefined) return none;
    return value === '' ? empty : String(value);
  });
  const labels = [...period, ...names];
  return labels.length === 0 ? new Array<string>(count).fill('all') : labels;
}

/** A day among hours is one whose hours are not kept any more. */
function periodText(from: string, to: string, hours: boolean): string {
  const wholeDay = Date.parse(to) - Date.parse(from) > 3_600_000;
  return hours && !wholeDay ? `${from.slice(0, 10)} ${from.slice(11, 16)}` : from.slice(0, 10);
}
