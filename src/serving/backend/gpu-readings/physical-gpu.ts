import type { DeviceReading } from '../../../core/index.js';

/** Which GPU it is, as its driver tells, in the order of the PCI bus. */
export interface PhysicalGpu {
  readonly uuid: string;
  /** `00000000:65:00.0`. */
  readonly busId: string;
}

/** A GPU of this machine before CUDA gave it a number, and what it says of itself. */
export interface GpuFigures extends PhysicalGpu, Omit<DeviceReading, 'device' | 'uuid'> {}

/** Who can be asked for the figures of all GPUs of this machine. */
export interface GpuSource {
  /** What they say now, or said within the last seconds; empty where nothing is known. Does not throw. */
  figures(): readonly GpuFigures[];
  close(): void;
}
