import type { Clock, ClockTimer } from '../../core/index.js';

/**
 * The one timer of a batcher. One that is set for an earlier instant than asked for stays: setting timers costs more than
 * waking once for nothing.
 */
export class WakeUp {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #timer: ClockTimer | undefined;
  #atNs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Fires at `atNs` or before; `Infinity` asks for nothing. */
  atLatest(atNs: number): void {
    if (atNs === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#atNs <= atNs)) return;
    this.#timer?.clear();
    this.#atNs = atNs;
    this.#timer = this.#clock.setTimer(atNs, () => {
      this.#timer = undefined;
      this.#fire();
    });
  }

  clear(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }
}
