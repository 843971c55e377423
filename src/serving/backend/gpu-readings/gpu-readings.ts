import type { Clock, DeviceReading, DeviceReadings, Log } from '../../../core/index.js';
import { cudaPresence } from '../onnx/cuda-presence.js';
import { cudaBusId } from '../onnx/cuda-runtime.js';
import { NvidiaSmi } from './nvidia-smi.js';
import { openNvml } from './nvml.js';
import type { GpuFigures, GpuSource } from './physical-gpu.js';
import { samePlace, visibleGpus } from './visible-gpus.js';

export interface GpuReadingsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers of the GPUs that models run on, as CUDA counts them. */
  readonly inUse: () => readonly number[];
  /** Read the GPUs although no model runs on one. */
  readonly always: boolean;
  /** Of the environment. */
  readonly visibleDevices: string | undefined;
  /** Default: `libnvidia-ml.so.1`, where the loader finds it. */
  readonly nvml?: string;
  /** Default: `nvidia-smi` of the PATH. */
  readonly nvidiaSmi?: string;
  /** Where CUDA says a GPU is, by its number; default: asks CUDA's runtime. */
  readonly busIdOf?: (deviceId: number) => string | undefined;
}

/** A reading is not taken again sooner: some GPUs take a millisecond for one. */
const LEAST_AGE_NS = 0.5e9;

/**
 * What the GPUs say of themselves, under CUDA's numbers for them. Nothing is loaded or started before the first read after
 * a model runs on one (or the first of all, with `always`); that read and those until the source has started tell nothing.
 */
export class GpuReadings implements DeviceReadings {
  readonly #options: GpuReadingsOptions;
  /** Where the GPUs that models run on are, as CUDA itself says. */
  readonly #busIds = new Map<number, string | undefined>();
  #source: GpuSource | undefined;
  /** Settled when the source is known, or known to be none. */
  #opening: Promise<void> | undefined;
  #closed = false;
  #last: { readonly atNs: number; readonly readings: readonly DeviceReading[] } | undefined;

  constructor(options: GpuReadingsOptions) {
    this.#options = options;
  }

  read(): readonly DeviceReading[] {
    const { clock, inUse, always } = this.#options;
    if (this.#opening === undefined && (always || inUse().length > 0)) void this.open();
    if (this.#source === undefined) return [];
    const nowNs = clock.nowNs();
    if (this.#last !== undefined && nowNs - this.#last.atNs < LEAST_AGE_NS) return this.#last.readings;
    const readings = this.#numbered(this.#source.figures()).map(([number, { busId: _, ...figures }]) => ({
      device: `cuda:${number}`,
      ...figures,
    }));
    this.#last = { atNs: nowNs, readings };
    return readings;
  }

  /** Resolves when what can be read is being read. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#source?.close();
    this.#source = undefined;
  }

  async #open(): Promise<void> {
    const { log, clock, nvml, nvidiaSmi } = this.#options;
    let source: GpuSource | undefined;
    try {
      const opened = await openNvml(nvml);
      if (typeof opened !== 'string') source = opened;
      else {
        const driver = nvidiaSmi !== undefined || cudaPresence().driverMark !== undefined;
        log.debug(driver ? 'figures of GPUs come from nvidia-smi' : 'no figures of GPUs', { why: opened });
        if (driver) source = new NvidiaSmi({ clock, log, ...(nvidiaSmi !== undefined && { program: nvidiaSmi }) });
      }
    } catch (cause) {
      log.debug('no figures of GPUs', { cause });
    }
    if (this.#closed) source?.close();
    else this.#source = source;
  }

  /** Each GPU with CUDA's number: where CUDA itself said it that one, else as the environment has it. */
  #numbered(gpus: readonly GpuFigures[]): (readonly [number, GpuFigures])[] {
    const { inUse, visibleDevices, busIdOf = cudaBusId } = this.#options;
    for (const number of inUse()) if (!this.#busIds.has(number)) this.#busIds.set(number, busIdOf(number));
    const visible = visibleGpus(gpus, visibleDevices);
    const numbers = [...new Set([...visible.keys(), ...this.#busIds.keys()])].sort((a, b) => a - b);
    return numbers.flatMap((number) => {
      const told = this.#busIds.get(number);
      const gpu = told === undefined ? visible[number] : gpus.find(({ busId }) => samePlace(busId, told));
      return gpu === undefined ? [] : [[number, gpu] as const];
    });
  }
}
