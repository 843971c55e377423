/** Seconds and nanoseconds since the epoch, as OpenTelemetry has them. */
export type WallTime = [seconds: number, nanoseconds: number];

/** Less than this is how coarse the wall clock is read, and no step of it. */
const STEP_MS = 5;

export interface WallParts {
  /** Wall clock in milliseconds at the zero of the monotonic one, with its fractions. */
  readonly zeroMs: number;
  readonly wallMs: () => number;
  /** Any monotonic milliseconds. */
  readonly steadyMs: () => number;
}

/**
 * Monotonic instants as times of the wall clock. The distance between two of them stays what was measured, but for the moment in
 * which somebody set the clock.
 */
export class WallClock {
  readonly #parts: WallParts;
  readonly #apartMs: number;
  #steppedMs = 0;

  constructor(parts: WallParts) {
    this.#parts = parts;
    this.#apartMs = parts.wallMs() - parts.steadyMs();
  }

  /** Looks whether the wall clock was set since. */
  look(): void {
    const { wallMs, steadyMs } = this.#parts;
    const steppedMs = wallMs() - steadyMs() - this.#apartMs;
    if (Math.abs(steppedMs - this.#steppedMs) > STEP_MS) this.#steppedMs = steppedMs;
  }

  timeOf(monotonicNs: number): WallTime {
    const zeroMs = this.#parts.zeroMs + this.#steppedMs;
    const zeroSeconds = Math.floor(zeroMs / 1e3);
    const ns = Math.round((zeroMs - zeroSeconds * 1e3) * 1e6 + monotonicNs);
    const seconds = Math.floor(ns / 1e9);
    return [zeroSeconds + seconds, ns - seconds * 1e9];
  }
}
