/** What a device says of itself. A figure that it does not give is undefined, never made up. */
export interface DeviceReading {
  /** `cpu`, `cuda:0` ... */
  readonly device: string;
  /** Name of the product. */
  readonly product: string | undefined;
  /** Name of this very piece, as its driver has it: `GPU-8932f937-...`. */
  readonly uuid?: string | undefined;
  /** Energy used since some instant before; grows. */
  readonly energyJoules: number | undefined;
  readonly powerWatts: number | undefined;
  readonly powerLimitWatts: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  /** Share of the last moments in which it worked, 0 to 1. */
  readonly utilisation: number | undefined;
  readonly temperatureCelsius: number | undefined;
}

export interface DeviceReadings {
  /** Cheap enough for a scrape; must not throw. */
  read(): readonly DeviceReading[];
}
