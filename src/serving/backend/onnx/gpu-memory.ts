import { ServingError } from '../../../core/index.js';

/** Keeps weights out of the arena, where `gpu_mem_limit` does not count them. */
const UNCOUNTED = 'session.use_device_allocator_for_initializers';

/**
 * One cap of GPU memory a device over all sessions of the process. Each session has an arena of its own that
 * `gpu_mem_limit` really ends, weights included; the sum of those limits is kept below the cap. `decisions/0012` says why
 * this and not one shared arena.
 */
export class GpuMemory {
  readonly #capBytes: number;
  readonly #reserved = new Map<number, number>();

  /** `capBytes`: of each device; Infinity = no cap. */
  constructor(capBytes: number) {
    this.#capBytes = capBytes;
  }

  /**
   * Reserves a session's `gpu_mem_limit` and returns what gives it back. Throws `MODEL_INVALID` where a cap is set and the
   * session has no limit, or none that counts; `UNSUPPORTED` where too little is left.
   */
  reserve(deviceId: number, options: Readonly<Record<string, string>>, sessionConfig: ReadonlyMap<string, string>) {
    if (this.#capBytes === Number.POSITIVE_INFINITY) return () => {};
    const device = `cuda:${deviceId}`;
    if (options.gpu_mem_limit === undefined) {
      throw new ServingError(
        'MODEL_INVALID',
        `${device} has a memory cap of ${this.#capBytes} bytes (provider.gpuMemoryBytes): the model needs a gpu_mem_limit`,
      );
    }
    if (sessionConfig.get(UNCOUNTED) === '1') {
      throw new ServingError('MODEL_INVALID', `${UNCOUNTED} puts weights outside the memory cap of ${device}`);
    }
    const bytes = Number(options.gpu_mem_limit);
    const before = this.#reserved.get(deviceId) ?? 0;
    if (before + bytes > this.#capBytes) {
      throw new ServingError(
        'UNSUPPORTED',
        `${device}: gpu_mem_limit ${bytes} does not fit, ${this.#capBytes - before} of ${this.#capBytes} bytes are left`,
      );
    }
    this.#reserved.set(deviceId, before + bytes);
    let held = true;
    return () => {
      if (held) this.#reserved.set(deviceId, (this.#reserved.get(deviceId) as number) - bytes);
      held = false;
    };
  }
}
