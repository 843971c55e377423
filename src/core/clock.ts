/** Time as every room takes it: monotonic nanoseconds in a double (exact to 1 ns for 104 days of uptime). */
export interface Clock {
  /** Monotonic time in nanoseconds. */
  nowNs(): number;
  /** Wall clock in milliseconds since the epoch, for what is shown to people and for `last_inference`. */
  wallMs(): number;
  /** Calls `fire` once at or after `atNs`. The timer does not keep the process alive; its owner clears it. */
  setTimer(atNs: number, fire: () => void): ClockTimer;
}

export interface ClockTimer {
  clear(): void;
}

/** A deadline that never comes. */
export const NO_DEADLINE = Number.POSITIVE_INFINITY;
