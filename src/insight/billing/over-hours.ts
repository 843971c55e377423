import { HOUR_MS, type RollupDevice, type RollupLine, type RollupPeriod } from '../../core/index.js';
import type { Interval } from './interval.js';

/** Grams of carbon dioxide for so many joules used in an hour; undefined: no grid intensity is configured. */
export type CarbonOf = ((joules: number, hourMs: number) => number) | undefined;

/**
 * An interval as the hours that it touches: money, time and energy in proportion to the time in each, requests and rows as whole numbers. The
 * parts add up to the whole.
 */
export function overHours(interval: Interval, carbonOf: CarbonOf): RollupPeriod[] {
  const { fromMs, toMs } = interval;
  const periods: RollupPeriod[] = [];
  const first = Math.floor(fromMs / HOUR_MS) * HOUR_MS;
  const length = toMs - fromMs;
  for (let startMs = first; startMs < toMs || startMs === first; startMs += HOUR_MS) {
    // The parts of the whole at which this hour begins and ends.
    const begin = length <= 0 ? 0 : Math.max(0, (startMs - fromMs) / length);
    const end = length <= 0 ? 1 : Math.min(1, (startMs + HOUR_MS - fromMs) / length);
    const carbon = (joules: number | undefined) =>
      joules === undefined || carbonOf === undefined ? undefined : carbonOf(joules, startMs);
    periods.push({
      startMs,
      spanMs: HOUR_MS,
      lines: interval.lines.map((line) => withCarbon(partOfLine(line, begin, end), carbon)),
      devices: interval.devices.map((device) => withCarbon(partOfDevice(device, begin, end), carbon)),
    });
    if (end === 1) break;
  }
  return periods;
}

function withCarbon<Sums extends { energyJoules: number | undefined }>(
  sums: Sums,
  carbon: (joules: number | undefined) => number | undefined,
): Sums & { carbonGrams: number | undefined } {
  return { ...sums, carbonGrams: carbon(sums.energyJoules) };
}

/** What is left at the end is the whole less what came before, so that nothing is lost to rounding. */
function part(whole: number, begin: number, end: number): number {
  return (end === 1 ? whole : whole * end) - whole * begin;
}

function wholePart(whole: number, begin: number, end: number): number {
  return Math.round(whole * end) - Math.round(whole * begin);
}

function partOfLine(line: RollupLine, begin: number, end: number): RollupLine {
  if (begin === 0 && end === 1) return line;
  return {
    ...line,
    deviceSeconds: part(line.deviceSeconds, begin, end),
    amount: part(line.amount, begin, end),
    requests: wholePart(line.requests, begin, end),
    rows: wholePart(line.rows, begin, end),
    aloneSeconds: part(line.aloneSeconds, begin, end),
    energyJoules: line.energyJoules === undefined ? undefined : part(line.energyJoules, begin, end),
  };
}

function partOfDevice(device: RollupDevice, begin: number, end: number): RollupDevice {
  if (begin === 0 && end === 1) return device;
  return {
    device: device.device,
    elapsedSeconds: part(device.elapsedSeconds, begin, end),
    busySeconds: part(device.busySeconds, begin, end),
    amount: part(device.amount, begin, end),
    direct: part(device.direct, begin, end),
    waste: part(device.waste, begin, end),
    idle: part(device.idle, begin, end),
    energyJoules: device.energyJoules === undefined ? undefined : part(device.energyJoules, begin, end),
    carbonGrams: undefined,
  };
}
