import type { Clock, ClockTimer } from '../../core/index.js';

/**
 * Tells when the run watched last is past its limit. One timer serves many runs: it is not cleared when a run ends, but
 * finds a later run at work when it fires and waits for that one; so a run costs no timer of its own.
 */
export class RunWatch {
  readonly #clock: Clock;
  readonly #onLimit: () => void;
  #timer: ClockTimer | undefined;
  #firesNs = 0;
  /** When the run watched now is past its limit; Infinity = it has none. */
  #dueNs = Number.POSITIVE_INFINITY;

  /** `onLimit` is also called where the run watched last has ended: its owner knows. */
  constructor(clock: Clock, onLimit: () => void) {
    this.#clock = clock;
    this.#onLimit = onLimit;
  }

  /** Watches a run in place of the one before. `limitMs` 0 = no limit. */
  watch(startNs: number, limitMs: number): void {
    if (limitMs <= 0) {
      this.#dueNs = Number.POSITIVE_INFINITY;
      return;
    }
    this.#dueNs = startNs + limitMs * 1e6;
    if (this.#timer === undefined || this.#firesNs > this.#dueNs) this.#arm();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#dueNs = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    this.#timer?.clear();
    this.#firesNs = this.#dueNs;
    this.#timer = this.#clock.setTimer(this.#firesNs, () => this.#fired());
  }

  #fired(): void {
    this.#timer = undefined;
    if (this.#dueNs === Number.POSITIVE_INFINITY) return;
    if (this.#clock.nowNs() < this.#dueNs) {
      this.#arm();
      return;
    }
    this.#dueNs = Number.POSITIVE_INFINITY;
    this.#onLimit();
  }
}
