/** Weight of the newest request in the running means: some two hundred count. */
const NEWEST = 0.005;

/** A silence this many times the mean gap says more about the rate than the requests before it. */
const SILENCE = 4;

/** How fast rows come, smoothed. */
export class ArrivalRate {
  #lastNs: number | undefined;
  #gapNs = 0;
  #rows = 1;

  /** A request of `rows` rows came. */
  arrived(rows: number, nowNs: number): void {
    if (this.#lastNs !== undefined) {
      const gapNs = Math.max(nowNs - this.#lastNs, 0);
      this.#gapNs = this.#gapNs === 0 ? gapNs : this.#gapNs + NEWEST * (gapNs - this.#gapNs);
      this.#rows += NEWEST * (rows - this.#rows);
    }
    this.#lastNs = nowNs;
  }

  /** Rows a nanosecond; 0 while unknown. */
  rowsPerNs(nowNs: number): number {
    if (this.#lastNs === undefined || this.#gapNs === 0) return 0;
    return this.#rows / Math.max(this.#gapNs, (nowNs - this.#lastNs) / SILENCE);
  }
}
