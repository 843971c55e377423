/** How much broken promises add, a batch full of them. */
const STEP = 0.4;
/** Broken promises among the kept ones that are no reason to mistrust, where no newcomer is refused. */
const BROKEN_SHARE = 0.03;
/**
 * Of that, as much as the share of newcomers that is admitted, but at least so much: where nine in ten are refused, there is always
 * another one to admit, and a promise need not be broken to keep the instances busy. Less would leave them idle at times.
 */
const LEAST_TOLERANCE = 0.3;
/** How much one newcomer counts in that share. */
const RECENT = 1 / 256;
/**
 * Share of the margin that a batch of kept promises takes away: what was learned under one load does not outlive it long. A tenth
 * of it while the margin is in use: else overload would have to break promises all the time to be believed.
 */
const DECAY = 0.004;
const DECAY_IN_USE = DECAY / 10;
/** Batches for which it counts as in use after a newcomer was refused. */
const IN_USE = 2;
const MOST = 2;
/**
 * Kept promises that are saved up, against broken ones. Heads are given up together, a batch's worth at once after a crowd: that
 * alone, in a load of which one in a hundred is lost, is no reason to refuse newcomers for the next hundreds of requests.
 */
const SAVED = 0.5;

/**
 * How much the forecast of admission is to be mistrusted: it grows with each request that was admitted and then refused in
 * the queue, and shrinks with each that was answered. So under overload nearly all refusals are made at admission, at once,
 * and with little load, where a few drops pay, none is made there for nothing.
 */
export class AdmissionMargin {
  /** Below 0: what is saved. */
  #share = 0;
  /** Of the last execution that ended. */
  #batchRows = 1;
  #inUse = 0;
  /** Share of newcomers of late; who is answered was one. */
  #admitted = 1;

  /** Share by which a newcomer and what waits before it are overstated. */
  get share(): number {
    return Math.max(this.#share, 0);
  }

  /** An admitted request was answered, out of an execution of `batchRows` rows. */
  kept(batchRows: number): void {
    this.#batchRows = batchRows;
    const decay = this.#inUse > 0 ? DECAY_IN_USE : DECAY;
    this.#inUse -= 1 / batchRows;
    this.#admitted += (1 - this.#admitted) * RECENT;
    const tolerated = BROKEN_SHARE * Math.max(this.#admitted, LEAST_TOLERANCE);
    this.#share = Math.max(this.#share - (STEP * tolerated + this.share * decay) / batchRows, -SAVED);
  }

  /** A newcomer was refused. */
  used(): void {
    this.#inUse = IN_USE;
    this.#admitted -= this.#admitted * RECENT;
  }

  /** An admitted request was refused in the queue. */
  broken(): void {
    this.#share = Math.min(this.#share + STEP / this.#batchRows, MOST);
  }
}
