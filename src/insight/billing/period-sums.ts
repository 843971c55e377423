import type { RollupDevice, RollupLine, RollupPeriod, RollupSums } from '../../core/index.js';
import { textOfKey } from './interval.js';

interface Sums {
  readonly spanMs: number;
  readonly lines: Map<string, RollupLine>;
  readonly devices: Map<string, RollupDevice>;
}

/** Sums by period and key, in memory. What cannot be written for long goes into fewer periods, so that memory is bounded. */
export class PeriodSums {
  readonly #periods = new Map<number, Sums>();
  readonly #most: number;

  constructor(mostPeriods: number) {
    this.#most = mostPeriods;
  }

  get empty(): boolean {
    return this.#periods.size === 0;
  }

  add({ startMs, spanMs, lines, devices }: RollupPeriod): void {
    const sums = this.#sumsOf(startMs, spanMs);
    for (const line of lines) {
      const key = textOfKey(line);
      const known = sums.lines.get(key);
      sums.lines.set(key, known === undefined ? line : { ...line, ...sumOf(known, line) });
    }
    for (const device of devices) {
      const known = sums.devices.get(device.device);
      sums.devices.set(device.device, known === undefined ? device : sumOfDevices(known, device));
    }
  }

  periods(): RollupPeriod[] {
    return [...this.#periods]
      .sort(([one], [other]) => one - other)
      .map(([startMs, { spanMs, lines, devices }]) => ({
        startMs,
        spanMs,
        lines: [...lines.values()],
        devices: [...devices.values()],
      }));
  }

  clear(): void {
    this.#periods.clear();
  }

  #sumsOf(startMs: number, spanMs: number): Sums {
    const full = this.#periods.size >= this.#most && !this.#periods.has(startMs);
    const place = full ? Math.max(...this.#periods.keys()) : startMs;
    const sums = this.#periods.get(place) ?? { spanMs, lines: new Map(), devices: new Map() };
    this.#periods.set(place, sums);
    return sums;
  }
}

/** What has no counter adds nothing, and nothing stays nothing. */
export function sumOfKnown(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : one + other;
}

export function sumOf(one: RollupSums, other: RollupSums): RollupSums {
  return {
    deviceSeconds: one.deviceSeconds + other.deviceSeconds,
    amount: one.amount + other.amount,
    requests: one.requests + other.requests,
    rows: one.rows + other.rows,
    aloneSeconds: one.aloneSeconds + other.aloneSeconds,
    energyJoules: sumOfKnown(one.energyJoules, other.energyJoules),
    carbonGrams: sumOfKnown(one.carbonGrams, other.carbonGrams),
  };
}

export function sumOfDevices(one: RollupDevice, other: RollupDevice): RollupDevice {
  return {
    device: one.device,
    elapsedSeconds: one.elapsedSeconds + other.elapsedSeconds,
    busySeconds: one.busySeconds + other.busySeconds,
    amount: one.amount + other.amount,
    direct: one.direct + other.direct,
    waste: one.waste + other.waste,
    idle: one.idle + other.idle,
    energyJoules: sumOfKnown(one.energyJoules, other.energyJoules),
    carbonGrams: sumOfKnown(one.carbonGrams, other.carbonGrams),
  };
}
