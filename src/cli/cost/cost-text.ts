import type { BudgetStatus, CostReport } from '../../core/index.js';
import { textTable } from '../text-table.js';
import { costTable, unitsOfKinds } from './cost-table.js';
import { decimalsFor, moneyText, roundedTo, unitsOf } from './money.js';

/** A report for people: the table, the devices whose price times time it is, and what follows from it. */
export function costText(report: CostReport): string {
  const { currency, from, to, rows, unpriced, otherCurrencies } = report;
  const minute = (instant: string) => `${instant.slice(0, 10)} ${instant.slice(11, 16)}`;
  const head = `${minute(from)} to ${minute(to)} UTC`;
  if (rows.length === 0) return `${head}: nothing was spent\n${budgetLines(report)}`;
  const decimals = decimalsFor(report.total.amount);
  const table = costTable(report, decimals);
  const lines = [
    unpriced
      ? `${head}: no price is configured (cost.devices), so only time is told`
      : `${head}, in ${currency}; amounts are rounded so that they add up`,
    '',
    textTable(table.header, table.rows).trimEnd(),
    '',
    ...deviceLines(report, decimals),
    ...(unpriced ? [] : insightLines(report, decimals)),
  ];
  if (otherCurrencies.length > 0) lines.push(`other currencies: ${otherCurrencies.join(', ')} (--currency)`);
  return `${lines.join('\n')}\n${budgetLines(report)}`;
}

/** Of each device price, time, and what it was spent on; they add up to the totals of the table. */
function deviceLines(report: CostReport, decimals: number): string[] {
  const { devices, total, currency, unpriced, conservationError } = report;
  const timeOf = ({ device, elapsedSeconds, busySeconds }: CostReport['devices'][number]) =>
    `device ${device}: ${(elapsedSeconds / 3600).toFixed(4)} h, busy ${percent(busySeconds, elapsedSeconds)}`;
  if (unpriced) return devices.map(timeOf);
  const units = unitsOfKinds(report, decimals);
  const [all, direct, idle] = [unitsOf(total.amount, decimals), units.get('direct') ?? 0, units.get('idle') ?? 0];
  const divided = (whole: number, name: 'direct' | 'waste' | 'idle') => {
    const amounts = devices.map((device) => device[name]);
    return roundedTo(whole, amounts, decimals);
  };
  const parts = [divided(direct, 'direct'), divided(all - direct - idle, 'waste'), divided(idle, 'idle')] as const;
  const money = (amount: number) => moneyText(amount, decimals);
  const lines = devices.map((device, i) => {
    const [own, waste, rest] = [parts[0][i]!, parts[1][i]!, parts[2][i]!];
    const sum = `x ${price(device.pricePerHour)} ${currency}/h = ${money(own + waste + rest)} ${currency}`;
    return `${timeOf(device)}; ${sum}: direct ${money(own)}, waste ${money(waste)}, idle ${money(rest)}`;
  });
  const error = conservationError < 1e-9 ? 'less than 1e-9' : conservationError.toExponential(1);
  return [...lines, `price x time = ${money(all)} ${currency}; differs from the sum of all lines by ${error} of it`];
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.round((part / whole) * 1000) / 10} %`;
}

function price(perHour: number): string {
  return String(Number(perHour.toPrecision(6)));
}

function insightLines(report: CostReport, decimals: number): string[] {
  const { currency, batching, shadowing, canary, forecast } = report;
  const money = (amount: number) => `${moneyText(unitsOf(amount, decimals), decimals)} ${currency}`;
  const lines: string[] = [];
  const { aloneSeconds, actualSeconds, savedAmount } = batching;
  lines.push(
    aloneSeconds === 0
      ? 'batching: what requests would have taken alone is not known yet'
      : `batching ${savedAmount >= 0 ? 'saved' : 'cost'} ${money(Math.abs(savedAmount))}: ${actualSeconds.toFixed(3)} s on devices, padding included, where each request alone would have taken ${aloneSeconds.toFixed(3)} s`,
  );
  if (shadowing.amount > 0) lines.push(`shadowing cost ${money(shadowing.amount)} (${percent(shadowing.ratio, 1)})`);
  if (canary.amount > 0) lines.push(`the canary cost ${money(canary.amount)} (${percent(canary.ratio, 1)})`);
  lines.push(
    forecast === undefined
      ? 'forecast: none; it needs one full day (UTC)'
      : `forecast for ${forecast.month}: ${money(forecast.expected)}${forecast.low === undefined || forecast.high === undefined ? '' : ` (90 %: ${money(forecast.low)} to ${money(forecast.high)})`}, ${money(forecast.spent)} spent so far; from the hours of ${forecast.days === 1 ? 'one full day' : `${forecast.days} full days`}`,
  );
  return lines;
}

function budgetLines({ budgets, currency }: CostReport): string {
  if (budgets.length === 0) return '';
  const cells = budgets.map((budget: BudgetStatus) => [
    budget.name,
    budget.tenant === undefined ? `model ${budget.model}` : `tenant ${budget.tenant}`,
    `${budget.amount} a ${budget.per}`,
    String(Number(budget.used.toPrecision(6))),
    `${(budget.usedRatio * 100).toFixed(1)} %`,
    budget.refusing ? `refuses (${budget.refusedRequests} requests)` : budget.action,
    budget.renews.slice(0, 10),
  ]);
  return `\n${textTable(['BUDGET', 'OF', currency, 'USED', '', 'ACTION', 'RENEWS'], cells)}`;
}
