import type { Clock, DeviceMeter, DeviceStatus, InstanceGroup, Log } from '../../core/index.js';
import { DEFAULT_DEVICE_POLICY, DeviceHealth, type DevicePolicy } from './device-health.js';

export interface DevicesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly policy?: DevicePolicy;
  /** A device changed its state. */
  readonly onChange?: () => void;
  /** What measures a device's time, by its name; absent: nothing does. */
  readonly meterOf?: ((device: string) => DeviceMeter) | undefined;
}

/** The devices of this process: what is known of one is known to the executors of all versions. */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #devices = new Map<string, DeviceHealth>();

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** The device of an instance group. */
  of({ device, deviceId }: Pick<InstanceGroup, 'device' | 'deviceId'>): DeviceHealth {
    const name = `${device}:${deviceId}`;
    let health = this.#devices.get(name);
    if (health === undefined) {
      const { clock, log, policy = DEFAULT_DEVICE_POLICY, onChange, meterOf } = this.#options;
      const moved = (from: string, to: string, why: string) => {
        const tell = to === 'failed' || to === 'lost' ? 'error' : 'info';
        log[tell]('device moved', { device: name, from, to, ...(why === '' ? {} : { why }) });
        onChange?.();
      };
      health = new DeviceHealth(name, clock, policy, moved, meterOf?.(name));
      this.#devices.set(name, health);
    }
    return health;
  }

  /** False while a device is failed or lost; one that is tried again does not count. */
  get noneFailed(): boolean {
    for (const health of this.#devices.values()) if (!health.usable) return false;
    return true;
  }

  /** Every device that an instance was ever put on. */
  statuses(): readonly DeviceStatus[] {
    return [...this.#devices.values()].map((health) => health.status);
  }

  stop(): void {
    for (const health of this.#devices.values()) health.stop();
  }
}
