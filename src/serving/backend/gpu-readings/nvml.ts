import { callOffLoop } from '../onnx/call-gate.js';
import { koffiModule } from '../onnx/koffi-module.js';
import { keptLibraries, type NativeFunction } from '../onnx/library.js';
import type { GpuFigures, GpuSource, PhysicalGpu } from './physical-gpu.js';

/** NVIDIA's management library, which comes with the driver. */
export const NVML_LIBRARY = 'libnvidia-ml.so.1';

/** `nvmlDevice_t`: an address. */
type Handle = number;
type Call = (...values: (number | Uint8Array)[]) => number;

/** Functions of `nvml.h` and the types of their arguments; each returns an `nvmlReturn_t`, 0 = it worked. */
const SIGNATURES = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlDeviceGetCount_v2: ['void *'],
  nvmlDeviceGetHandleByIndex_v2: ['uint', 'void *'],
  nvmlDeviceGetName: ['uintptr_t', 'void *', 'uint'],
  nvmlDeviceGetUUID: ['uintptr_t', 'void *', 'uint'],
  nvmlDeviceGetPciInfo_v3: ['uintptr_t', 'void *'],
  nvmlDeviceGetTotalEnergyConsumption: ['uintptr_t', 'void *'],
  nvmlDeviceGetPowerUsage: ['uintptr_t', 'void *'],
  nvmlDeviceGetEnforcedPowerLimit: ['uintptr_t', 'void *'],
  nvmlDeviceGetMemoryInfo: ['uintptr_t', 'void *'],
  nvmlDeviceGetUtilizationRates: ['uintptr_t', 'void *'],
  nvmlDeviceGetTemperature: ['uintptr_t', 'uint', 'void *'],
} as const;
type NvmlName = keyof typeof SIGNATURES;

/** `NVML_DEVICE_NAME_V2_BUFFER_SIZE`, `NVML_DEVICE_UUID_V2_BUFFER_SIZE`. */
const TEXT_BYTES = 96;
/** `nvmlPciInfo_t`: its last field is the bus id, 32 characters. */
const PCI_INFO = { bytes: 68, busIdAt: 36 };
/** `NVML_TEMPERATURE_GPU`. */
const TEMPERATURE_GPU = 0;

/**
 * The GPUs by NVML. Loading it and its start are off the event loop, where they take up to a second on a machine of many
 * GPUs; a reading is nine calls a GPU. Resolves with why there is none, where there is none. What one GPU does not tell
 * (an older one its energy, one with MIG its utilisation) is undefined.
 */
export async function openNvml(library: string = NVML_LIBRARY): Promise<GpuSource | string> {
  const calls = new Map<NvmlName, NativeFunction>();
  try {
    const opened = koffiModule().load(library);
    keptLibraries.push(opened);
    for (const [name, values] of Object.entries(SIGNATURES))
      calls.set(name as NvmlName, opened.func(name, 'int', [...values]) as NativeFunction);
  } catch (thrown) {
    return `${library} does not load: ${(thrown as Error).message}`;
  }
  const call = (name: NvmlName): Call => calls.get(name) as unknown as Call;
  const started = await callOffLoop(calls.get('nvmlInit_v2') as NativeFunction, [], calls);
  if (started !== 0) return `NVML does not start: error ${started}`;
  return new Nvml(call);
}

class Nvml implements GpuSource {
  readonly #call: (name: NvmlName) => Call;
  /** Those that could be named; asked once. */
  readonly #gpus: readonly {
    readonly handle: Handle;
    readonly product: string | undefined;
    readonly is: PhysicalGpu;
  }[];
  /** What the last call wrote. */
  readonly #out = new Uint8Array(TEXT_BYTES);
  readonly #view = new DataView(this.#out.buffer);

  constructor(call: (name: NvmlName) => Call) {
    this.#call = call;
    const count = call('nvmlDeviceGetCount_v2')(this.#out) === 0 ? this.#view.getUint32(0, true) : 0;
    this.#gpus = Array.from({ length: count }, (_, index) => this.#identify(index)).filter((gpu) => gpu !== undefined);
  }

  figures(): readonly GpuFigures[] {
    return this.#gpus.map(({ handle, product, is }) => ({ ...is, product, ...this.#figuresOf(handle) }));
  }

  close(): void {
    this.#call('nvmlShutdown')();
  }

  #identify(index: number) {
    if (this.#call('nvmlDeviceGetHandleByIndex_v2')(index, this.#out) !== 0) return undefined;
    const handle = Number(this.#view.getBigUint64(0, true));
    const uuid = this.#text('nvmlDeviceGetUUID', handle);
    const busId = this.#busId(handle);
    if (uuid === undefined || busId === undefined) return undefined;
    return { handle, product: this.#text('nvmlDeviceGetName', handle), is: { uuid, busId } };
  }

  #text(name: NvmlName, handle: Handle): string | undefined {
    return this.#call(name)(handle, this.#out, TEXT_BYTES) === 0 ? textIn(this.#out) : undefined;
  }

  #busId(handle: Handle): string | undefined {
    const { bytes, busIdAt } = PCI_INFO;
    if (this.#call('nvmlDeviceGetPciInfo_v3')(handle, this.#out) !== 0) return undefined;
    return textIn(this.#out.subarray(busIdAt, bytes));
  }

  #figuresOf(handle: Handle) {
    const view = this.#view;
    const word = (at: number) => Number(view.getBigUint64(at, true));
    const asked = (name: NvmlName, ...values: number[]) => this.#call(name)(handle, ...values, this.#out) === 0;
    const energyJoules = asked('nvmlDeviceGetTotalEnergyConsumption') ? word(0) / 1000 : undefined;
    const powerWatts = asked('nvmlDeviceGetPowerUsage') ? view.getUint32(0, true) / 1000 : undefined;
    const powerLimitWatts = asked('nvmlDeviceGetEnforcedPowerLimit') ? view.getUint32(0, true) / 1000 : undefined;
    // nvmlMemory_t: total, free, used.
    const memory = asked('nvmlDeviceGetMemoryInfo') ? { total: word(0), used: word(16) } : undefined;
    // nvmlUtilization_t: percent of the time in which a kernel ran, then of memory.
    const utilisation = asked('nvmlDeviceGetUtilizationRates') ? view.getUint32(0, true) / 100 : undefined;
    const temperatureCelsius = asked('nvmlDeviceGetTemperature', TEMPERATURE_GPU) ? view.getUint32(0, true) : undefined;
    return {
      energyJoules,
      powerWatts,
      powerLimitWatts,
      memoryUsedBytes: memory?.used,
      memoryTotalBytes: memory?.total,
      utilisation,
      temperatureCelsius,
    };
  }
}

function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end === -1 ? bytes.length : end)).toString();
}
