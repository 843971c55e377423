import { COST_KINDS, type CostReport, type CostReportRow } from '../../core/index.js';

const FIGURES = [
  'amount',
  'direct',
  'waste',
  'idle',
  'deviceSeconds',
  'idleSeconds',
  'requests',
  'rows',
  'perThousandRequests',
  'perMillionRows',
  'energyJoules',
  'carbonGrams',
] as const satisfies readonly (keyof CostReportRow)[];

const WASTE = COST_KINDS.filter((kind) => kind !== 'direct');

/** Rows as RFC 4180, numbers with all digits; no line for the total, which spreadsheets make. */
export function costCsv({ currency, by, group, rows }: CostReport): string {
  const periods = by === 'total' ? [] : (['from', 'to'] as const);
  const header = [...periods, ...group, 'currency', ...FIGURES, ...WASTE.map((kind) => `waste_${kind}`)];
  const lines = rows.map((row) =>
    [
      ...periods.map((name) => row[name]),
      ...group.map((name) => row[name]),
      currency,
      ...FIGURES.map((name) => row[name]),
      ...WASTE.map((kind) => row.kinds[kind] ?? 0),
    ].map(cell),
  );
  return `${[header.map(snake), ...lines].map((cells) => cells.join(',')).join('\r\n')}\r\n`;
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Texts that a spreadsheet would compute are kept texts. */
function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
