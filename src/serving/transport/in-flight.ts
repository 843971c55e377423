/** Counts what a server has accepted and not yet answered, and tells when it is none. */
export class InFlight {
  #count = 0;
  #draining = false;
  #whenNone: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /** True from `drain` on: nothing new is to be accepted. */
  get draining(): boolean {
    return this.#draining;
  }

  enter(): void {
    this.#count++;
  }

  leave(): void {
    this.#count--;
    if (this.#count > 0 || this.#whenNone.length === 0) return;
    const waiting = this.#whenNone;
    this.#whenNone = [];
    for (const resolve of waiting) resolve();
  }

  drain(): void {
    this.#draining = true;
  }

  /** Resolves when nothing is in flight; at once where nothing is. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenNone.push(resolve);
    });
  }
}
