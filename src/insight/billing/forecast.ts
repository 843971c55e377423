import { type CostForecast, DAY_MS, HOUR_MS } from '../../core/index.js';
import type { CostSource } from './cost-source.js';

/** Full days that are looked at: two weeks, so that each day of the week counts twice. */
const MOST_DAYS = 14;

/**
 * What the running month (UTC) will cost: what was spent, and for each hour that is left the mean of that hour over the last full days.
 * The interval is that of the sum of the days left, with days as different as the last ones were and their mean as unsure as it is
 * (Student's t, 90 %). Undefined where not one full day is known.
 */
export function forecastOf(source: CostSource, currency: string, nowMs: number): CostForecast | undefined {
  const known = source.currencies().find((one) => one.currency === currency);
  if (known === undefined) return undefined;
  const now = new Date(nowMs);
  const monthMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  const endMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  const firstMs = Math.ceil(known.fromMs / DAY_MS) * DAY_MS;
  const days = Math.min(MOST_DAYS, (todayMs - firstMs) / DAY_MS);
  if (days < 1) return undefined;
  const profileMs = todayMs - days * DAY_MS;
  const byHour = new Array<number>(24).fill(0);
  const byDay = new Array<number>(days).fill(0);
  let spent = 0;
  const fromMs = Math.min(monthMs, profileMs);
  for (const { startMs, spanMs, amount } of source.devices({ currency, fromMs, toMs: nowMs })) {
    if (startMs >= monthMs) spent += amount;
    if (startMs < profileMs || startMs >= todayMs) continue;
    const day = Math.floor((startMs - profileMs) / DAY_MS);
    byDay[day]! += amount;
    // Of a day whose hours are not known any more, all are taken to be the same.
    if (spanMs === DAY_MS) for (let hour = 0; hour < 24; hour++) byHour[hour]! += amount / 24 / days;
    else byHour[new Date(startMs).getUTCHours()]! += amount / days;
  }
  const left = remaining(byHour, nowMs, endMs);
  const expected = spent + left;
  const daysLeft = (endMs - nowMs) / DAY_MS;
  const mean = byDay.reduce((sum, one) => sum + one, 0) / days;
  const variance = days < 2 ? Number.NaN : byDay.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (days - 1);
  const margin = T_95[days - 2]! * Math.sqrt(variance * (daysLeft + daysLeft ** 2 / days));
  return {
    month: new Date(monthMs).toISOString().slice(0, 7),
    spent,
    expected,
    low: days < 2 ? undefined : Math.max(spent, expected - margin),
    high: days < 2 ? undefined : expected + margin,
    days,
  };
}

/** Of the running hour, what is left of it. */
function remaining(byHour: readonly number[], nowMs: number, endMs: number): number {
  let sum = 0;
  for (let at = nowMs; at < endMs; ) {
    const next = (Math.floor(at / HOUR_MS) + 1) * HOUR_MS;
    sum += byHour[new Date(at).getUTCHours()]! * ((Math.min(next, endMs) - at) / HOUR_MS);
    at = next;
  }
  return sum;
}

/** Quantile 0.95 of Student's t with 1, 2, ... 13 degrees of freedom. */
const T_95 = [6.314, 2.92, 2.353, 2.132, 2.015, 1.943, 1.895, 1.86, 1.833, 1.812, 1.796, 1.782, 1.771];
