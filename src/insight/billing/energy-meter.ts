import type { DeviceReadings, RollupDevice } from '../../core/index.js';

/** Energy that a device used over an interval; `idleJoules` of it belong to its idle time. */
export interface DeviceEnergy {
  readonly joules: number;
  readonly idleJoules: number;
}

/** An interval tells the power of an idle device where so little of it was busy, */
const STILL_SHARE = 0.01;
/** and it was so long. */
const STILL_SECONDS = 5;

/**
 * Reads counters of energy. The idle time of a device has the power that was seen while it did nothing (the least of it); before that was
 * seen, power is taken to be the same all the time.
 */
export class EnergyMeter {
  readonly #readings: DeviceReadings;
  readonly #counters = new Map<string, number>();
  readonly #idleWatts = new Map<string, number>();

  constructor(readings: DeviceReadings) {
    this.#readings = readings;
    this.#differences();
  }

  /** Of the time since the last call, which is the interval of `devices`. What has no counter, or one that began anew, is not in it. */
  since(devices: readonly RollupDevice[]): ReadonlyMap<string, DeviceEnergy> {
    const energy = new Map<string, DeviceEnergy>();
    const used = this.#differences();
    for (const { device, elapsedSeconds, busySeconds } of devices) {
      const joules = used.get(device);
      if (joules === undefined) continue;
      const idleSeconds = Math.max(0, elapsedSeconds - busySeconds);
      energy.set(device, { joules, idleJoules: this.#idleJoules(device, joules, elapsedSeconds, idleSeconds) });
    }
    return energy;
  }

  #idleJoules(device: string, joules: number, elapsedSeconds: number, idleSeconds: number): number {
    if (elapsedSeconds <= 0) return 0;
    const watts = joules / elapsedSeconds;
    if (elapsedSeconds >= STILL_SECONDS && elapsedSeconds - idleSeconds <= STILL_SHARE * elapsedSeconds)
      this.#idleWatts.set(device, Math.min(this.#idleWatts.get(device) ?? watts, watts));
    return Math.min(joules, (this.#idleWatts.get(device) ?? watts) * idleSeconds);
  }

  #differences(): ReadonlyMap<string, number> {
    const used = new Map<string, number>();
    for (const { device, energyJoules } of this.#readings.read()) {
      if (energyJoules === undefined) continue;
      const before = this.#counters.get(device);
      if (before !== undefined && energyJoules >= before) used.set(device, energyJoules - before);
      this.#counters.set(device, energyJoules);
    }
    return used;
  }
}
