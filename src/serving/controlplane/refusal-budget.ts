import type { Clock } from '../../core/index.js';

/** Refused calls that are written down at once, and a second from then on: who sends more fills no disk and pushes nothing else out. */
const BURST = 20;
const A_SECOND = 1;

/** Which refused calls are written down, and how many were not. */
export class RefusalBudget {
  readonly #clock: Clock;
  #left = BURST;
  #countedNs: number;
  #omitted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedNs = clock.nowNs();
  }

  /** Whether this one is to be written down. */
  admit(): boolean {
    const nowNs = this.#clock.nowNs();
    this.#left = Math.min(BURST, this.#left + ((nowNs - this.#countedNs) / 1e9) * A_SECOND);
    this.#countedNs = nowNs;
    if (this.#left < 1) {
      this.#omitted++;
      return false;
    }
    this.#left--;
    return true;
  }

  /** Those that were not written down since this was last asked. */
  takeOmitted(): number {
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted;
  }
}
