import type { MoveTable } from './state-machine.js';

/**
 * Life of a device as this process sees it. `failed`: out of memory, tried again after a while with one execution
 * (`probing`). `lost`: its context is destroyed, or it is gone; only a new process can use it again.
 */
export type DeviceState = 'serving' | 'failed' | 'probing' | 'lost';

export const DEVICE_MOVES = {
  serving: ['failed', 'lost'],
  failed: ['probing', 'lost'],
  probing: ['serving', 'failed', 'lost'],
  lost: [],
} as const satisfies MoveTable<DeviceState>;

/** What an execution's failure says of its device. `memory`: it has none left now. `lost`: nothing runs on it any more. */
export type DeviceFault = 'memory' | 'lost';

/** A device as operators are told of it. */
export interface DeviceStatus {
  /** `cuda:0`, `cpu:0`. */
  readonly device: string;
  readonly state: DeviceState;
  /** Executions that failed for the device's sake, by fault. */
  readonly faults: Readonly<Record<DeviceFault, number>>;
}

/** A device as one number, for where names are too much: `cuda:2` is 2, the CPU -1. */
export function deviceNumber(name: string): number {
  return name.startsWith('cuda:') ? Number(name.slice('cuda:'.length)) : -1;
}

export function deviceNamed(number: number): string {
  return number < 0 ? 'cpu' : `cuda:${number}`;
}
