/** Weight of the newest execution in the running mean: some ten executions count. */
const NEWEST = 0.1;
const LONGEST_MS = 60_000;

/** How fast the line moves, to tell a refused caller when it is worth coming again. */
export class DrainRate {
  #nsPerRequest = 0;
  /** When an execution ended while others went on or waited; undefined where the line was empty since. */
  #busySinceNs: number | undefined = undefined;

  /** One execution of `requests` ended; `busy`: more is running or waiting. */
  ended(requests: number, takenNs: number, finishedNs: number, busy: boolean): void {
    const sinceNs = finishedNs - (this.#busySinceNs ?? takenNs);
    const sample = Math.max(sinceNs, 0) / requests;
    this.#nsPerRequest =
      this.#nsPerRequest === 0 ? sample : this.#nsPerRequest + NEWEST * (sample - this.#nsPerRequest);
    this.#busySinceNs = busy ? finishedNs : undefined;
  }

  /** Milliseconds until `waiting` requests have moved on, at least 1; undefined where nothing was measured yet. */
  retryAfterMs(waiting: number): number | undefined {
    const ms = this.msUntil(waiting);
    return ms === undefined ? undefined : Math.min(Math.max(Math.ceil(ms), 1), LONGEST_MS);
  }

  /** The same, exactly and without bounds. */
  msUntil(waiting: number): number | undefined {
    return this.#nsPerRequest === 0 ? undefined : (waiting * this.#nsPerRequest) / 1e6;
  }
}
