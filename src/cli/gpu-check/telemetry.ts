import type { Clock, DeviceReading, Log } from '../../core/index.js';
import { GpuReadings } from '../../serving/backend/index.js';

/** What the GPU said of itself before and after the check's runs. */
export interface Telemetry {
  /** Undefined where nothing could be read. */
  readonly before: DeviceReading | undefined;
  readonly after: DeviceReading | undefined;
  readonly elapsedSeconds: number;
  /** One reading of all GPUs, median, in microseconds. */
  readonly readUs: number | undefined;
  /** Why the figures cannot be right; empty where nothing is read, too. */
  readonly problems: readonly string[];
}

const TIMED_READS = 9;

/** Reads the GPU before and after other work. */
export class Telemeter {
  readonly #gpus: GpuReadings;
  readonly #clock: MovingClock;
  readonly #device: string;
  readonly #before: DeviceReading | undefined;
  readonly #beganNs: number;

  private constructor(gpus: GpuReadings, clock: MovingClock, device: string) {
    this.#gpus = gpus;
    this.#clock = clock;
    this.#device = device;
    this.#before = this.#read();
    this.#beganNs = clock.nowNs();
  }

  static async open(parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly deviceId: number;
    readonly visibleDevices: string | undefined;
  }): Promise<Telemeter> {
    const clock = new MovingClock(parts.clock);
    const { log, deviceId, visibleDevices } = parts;
    const gpus = new GpuReadings({ clock, log, inUse: () => [deviceId], always: true, visibleDevices });
    await gpus.open();
    return new Telemeter(gpus, clock, `cuda:${deviceId}`);
  }

  end(): Telemetry {
    const elapsedSeconds = (this.#clock.nowNs() - this.#beganNs) / 1e9;
    const after = this.#read();
    const times = Array.from({ length: TIMED_READS }, () => {
      const startMs = performance.now();
      this.#read();
      return (performance.now() - startMs) * 1000;
    }).sort((a, b) => a - b);
    this.#gpus.close();
    const readUs = after === undefined ? undefined : times[TIMED_READS >> 1];
    const found = { before: this.#before, after, elapsedSeconds, readUs };
    return { ...found, problems: implausible(found) };
  }

  /** Not the reading of a moment ago. */
  #read(): DeviceReading | undefined {
    this.#clock.skip();
    return this.#gpus.read().find(({ device }) => device === this.#device);
  }
}

/** A clock that can be put forward, so that a reading is not taken for a fresh one. */
class MovingClock implements Clock {
  readonly #clock: Clock;
  #aheadNs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  skip(): void {
    this.#aheadNs += 1e9;
  }

  nowNs(): number {
    return this.#clock.nowNs() + this.#aheadNs;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(atNs: number, fire: () => void): ReturnType<Clock['setTimer']> {
    return this.#clock.setTimer(atNs - this.#aheadNs, fire);
  }
}

/** What of two readings around some seconds of work contradicts itself. */
export function implausible(told: Pick<Telemetry, 'before' | 'after' | 'elapsedSeconds'>): string[] {
  const { before, after, elapsedSeconds } = told;
  if (before === undefined || after === undefined) return [];
  const problems: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) problems.push(`figures of the GPU: ${what}`);
  };
  const { memoryUsedBytes: used, memoryTotalBytes: total, utilisation, temperatureCelsius, powerLimitWatts } = after;
  if (used !== undefined && total !== undefined)
    check(used > 0 && used <= total, `${used} of ${total} bytes of memory are used`);
  if (utilisation !== undefined) check(utilisation >= 0 && utilisation <= 1, `its utilisation is ${utilisation}`);
  if (temperatureCelsius !== undefined)
    check(temperatureCelsius > 0 && temperatureCelsius < 130, `its temperature is ${temperatureCelsius} degrees`);
  if (before.energyJoules !== undefined && after.energyJoules !== undefined) {
    const watts = (after.energyJoules - before.energyJoules) / elapsedSeconds;
    const most = (powerLimitWatts ?? 2000) * 1.2;
    check(watts > 0 && watts <= most, `its energy grew by ${watts.toFixed(1)} W over ${elapsedSeconds.toFixed(1)} s`);
  }
  return problems;
}

/** As a person reads it. */
export function telemetryText({ before, after, elapsedSeconds, readUs }: Telemetry): string {
  if (after === undefined) return 'figures of the GPU: neither NVML nor nvidia-smi tells any\n';
  const of = (value: number | undefined, unit: string, digits = 0) =>
    value === undefined ? `no ${unit}` : `${value.toFixed(digits)} ${unit}`;
  const gib = (bytes: number | undefined) => (bytes === undefined ? '?' : (bytes / 1024 ** 3).toFixed(1));
  const joules =
    before?.energyJoules === undefined || after.energyJoules === undefined
      ? 'energy is not counted'
      : `${(after.energyJoules - before.energyJoules).toFixed(1)} J in ${elapsedSeconds.toFixed(1)} s`;
  return `figures of the GPU (${after.uuid ?? 'unnamed'}): ${joules}, ${of(after.powerWatts, 'W')} of ${of(after.powerLimitWatts, 'W')}, memory ${gib(after.memoryUsedBytes)} of ${gib(after.memoryTotalBytes)} GiB, ${after.utilisation === undefined ? 'no utilisation' : `utilisation ${(after.utilisation * 100).toFixed(0)} %`}, ${of(after.temperatureCelsius, 'degrees')}; a reading takes ${of(readUs, 'us')}\n`;
}
