import type { DeviceReading, DeviceReadings } from '../core/index.js';
import { Family, type Sample } from './family.js';
import type { LabelName } from './label-vocabulary.js';

type Figure = Exclude<keyof DeviceReading, 'device' | 'product' | 'uuid'>;

/** What devices say of themselves, read when it is scraped. A device that does not give a figure has no sample of it. */
export function deviceFamilies(readings: DeviceReadings): Family[] {
  const gauge = (name: string, figure: Figure, help: string, type: 'gauge' | 'counter' = 'gauge') =>
    new Family(name, type, help, () => samplesOf(readings.read(), figure, ({ device }) => ({ device })), ['device']);
  return [
    new Family(
      'penstock_device_info',
      'gauge',
      'Device that figures are read of: 1, with its product and name.',
      () =>
        readings.read().map(({ device, product = '', uuid = '' }) => ({ labels: { device, product, uuid }, value: 1 })),
      ['device', 'product', 'uuid'],
    ),
    gauge(
      'penstock_device_utilisation_ratio',
      'utilisation',
      'Share of the last moments in which the device worked; of the CPU, of all cores of the host since the last scrape.',
    ),
    gauge('penstock_device_memory_used_bytes', 'memoryUsedBytes', 'Memory of the device that is used, by anybody.'),
    gauge('penstock_device_memory_size_bytes', 'memoryTotalBytes', 'Memory of the device.'),
    gauge(
      'penstock_device_energy_joules_total',
      'energyJoules',
      'Energy that the device used since its driver was loaded; absent where it does not count it.',
      'counter',
    ),
    gauge('penstock_device_power_watts', 'powerWatts', 'Power that the device draws.'),
    gauge('penstock_device_power_limit_watts', 'powerLimitWatts', 'Most power that the device may draw.'),
    gauge('penstock_device_temperature_celsius', 'temperatureCelsius', 'Temperature of the device.'),
  ];
}

/** Triton's metrics of GPUs and CPU under their names, labels and units (core `src/metrics.cc`); its energy is since the start. */
export function tritonDeviceFamilies(readings: DeviceReadings): Family[] {
  const energyAtStart = new Map<string, number>();
  const gpus = () => readings.read().filter(({ uuid }) => uuid !== undefined);
  const cpus = () => readings.read().filter(({ device }) => device === 'cpu');
  const byUuid = ({ uuid }: DeviceReading) => ({ gpu_uuid: uuid as string });
  const gpu = (name: string, figure: Figure, help: string) =>
    new Family(name, 'gauge', help, () => samplesOf(gpus(), figure, byUuid), ['gpu_uuid'] satisfies LabelName[]);
  const cpu = (name: string, figure: Figure, help: string) =>
    new Family(name, 'gauge', help, () => samplesOf(cpus(), figure, () => ({})));
  const energySince = ({ labels, value }: Sample): Sample => {
    const uuid = labels.gpu_uuid as string;
    const before = energyAtStart.get(uuid);
    if (before === undefined) energyAtStart.set(uuid, value);
    return { labels, value: value - (before ?? value) };
  };
  return [
    gpu('nv_gpu_utilization', 'utilisation', 'GPU utilization rate [0.0 - 1.0)'),
    gpu('nv_gpu_memory_total_bytes', 'memoryTotalBytes', 'GPU total memory, in bytes'),
    gpu('nv_gpu_memory_used_bytes', 'memoryUsedBytes', 'GPU used memory, in bytes'),
    gpu('nv_gpu_power_usage', 'powerWatts', 'GPU power usage in watts'),
    gpu('nv_gpu_power_limit', 'powerLimitWatts', 'GPU power management limit in watts'),
    new Family(
      'nv_energy_consumption',
      'counter',
      'GPU energy consumption in joules since the Triton Server started',
      () => samplesOf(gpus(), 'energyJoules', byUuid).map(energySince),
      ['gpu_uuid'],
    ),
    cpu('nv_cpu_utilization', 'utilisation', 'CPU utilization rate [0.0 - 1.0]'),
    cpu('nv_cpu_memory_total_bytes', 'memoryTotalBytes', 'CPU total memory (RAM), in bytes'),
    cpu('nv_cpu_memory_used_bytes', 'memoryUsedBytes', 'CPU used memory (RAM), in bytes'),
  ];
}

function samplesOf(
  readings: readonly DeviceReading[],
  figure: Figure,
  labels: (reading: DeviceReading) => Readonly<Record<string, string>>,
): Sample[] {
  return readings.flatMap((reading) => {
    const value = reading[figure];
    return value === undefined ? [] : [{ labels: labels(reading), value }];
  });
}
