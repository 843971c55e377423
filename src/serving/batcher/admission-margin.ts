/** How much one broken promise adds. */
const STEP = 0.02;
/** Broken promises among the kept ones at which the margin stays as it is. */
const BROKEN_SHARE = 0.03;
const MOST = 1;

/**
 * How much the forecast of admission is to be mistrusted: it grows with each request that was admitted and then refused in
 * the queue, and shrinks with each that was answered. So under overload nearly all refusals are made at admission, at once,
 * and with little load, where a few drops pay, none is made there for nothing.
 */
export class AdmissionMargin {
  #share = 0;

  /** Share by which a newcomer and what waits before it are overstated. */
  get share(): number {
    return this.#share;
  }

  kept(): void {
    this.#share = Math.max(this.#share - STEP * BROKEN_SHARE, 0);
  }

  broken(): void {
    this.#share = Math.min(this.#share + STEP, MOST);
  }
}
