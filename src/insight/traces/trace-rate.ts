/** Allows so many traces a second; up to those of one second at once. */
export class TraceRate {
  readonly #perSecond: number;
  #left: number;
  #atNs: number;

  constructor(perSecond: number, nowNs: number) {
    this.#perSecond = perSecond;
    this.#left = Math.max(1, perSecond);
    this.#atNs = nowNs;
  }

  /** Whether one more may be kept now; counts it. */
  take(nowNs: number): boolean {
    const most = Math.max(1, this.#perSecond);
    this.#left = Math.min(most, this.#left + ((nowNs - this.#atNs) / 1e9) * this.#perSecond);
    this.#atNs = nowNs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
