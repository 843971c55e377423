import type { ServerConfig } from '../config/index.js';
import type { Clock, DeviceReading, DeviceReadings, DeviceStatus, Log } from '../core/index.js';
import { hostUsage, PackageEnergy } from '../machine/index.js';
import { GpuReadings } from '../serving/backend/index.js';

export interface ReadDevices extends DeviceReadings {
  close(): void;
}

/** One scrape asks once a metric; it is read once. */
const SCRAPE_NS = 100e6;

/** What the host and its GPUs say of themselves, as far as the configuration wants it read. */
export function readDevices(
  config: ServerConfig['metrics'],
  parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly statuses: () => readonly DeviceStatus[];
    /** `CUDA_VISIBLE_DEVICES` of the environment. */
    readonly visibleDevices: string | undefined;
  },
): ReadDevices {
  const host = config.cpu ? hostUsage() : undefined;
  const energy = config.cpu ? new PackageEnergy() : undefined;
  const gpus = config.gpu
    ? new GpuReadings({
        clock: parts.clock,
        log: parts.log,
        inUse: () => parts.statuses().flatMap(({ device }) => cudaNumber(device) ?? []),
        always: config.gpuAlways,
        visibleDevices: parts.visibleDevices,
      })
    : undefined;
  let cpu: { readonly atNs: number; readonly readings: readonly DeviceReading[] } | undefined;
  const ofHost = (): readonly DeviceReading[] => {
    if (host === undefined) return [];
    const nowNs = parts.clock.nowNs();
    if (cpu === undefined || nowNs - cpu.atNs > SCRAPE_NS)
      cpu = { atNs: nowNs, readings: [cpuReading(host(), energy?.joules())] };
    return cpu.readings;
  };
  return {
    read: () => [...ofHost(), ...(gpus?.read() ?? [])],
    close: () => gpus?.close(),
  };
}

function cudaNumber(device: string): number | undefined {
  return device.startsWith('cuda:') ? Number(device.slice('cuda:'.length)) : undefined;
}

function cpuReading(usage: ReturnType<ReturnType<typeof hostUsage>>, energyJoules: number | undefined): DeviceReading {
  return {
    device: 'cpu',
    product: undefined,
    energyJoules,
    powerWatts: undefined,
    powerLimitWatts: undefined,
    memoryUsedBytes: usage.memoryUsedBytes,
    memoryTotalBytes: usage.memoryTotalBytes,
    utilisation: usage.cpuRatio,
    temperatureCelsius: undefined,
  };
}
