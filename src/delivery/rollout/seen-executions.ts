/** The last numbers that were seen, at most so many: members of one execution come close together. */
export class SeenExecutions {
  readonly #ring: Float64Array;
  readonly #seen = new Set<number>();
  #at = 0;

  constructor(most: number) {
    this.#ring = new Float64Array(most);
  }

  /** Whether the number comes for the first time, as far as is remembered. Constant cost. */
  isFirst(execution: number): boolean {
    if (this.#seen.has(execution)) return false;
    const oldest = this.#ring[this.#at] as number;
    if (oldest !== 0) this.#seen.delete(oldest);
    this.#ring[this.#at] = execution;
    this.#at = (this.#at + 1) % this.#ring.length;
    this.#seen.add(execution);
    return true;
  }

  /** Numbers of a version that was loaded anew begin again. */
  clear(): void {
    this.#seen.clear();
    this.#ring.fill(0);
  }
}
