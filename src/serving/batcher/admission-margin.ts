/**
 * Losses (newcomers refused, promises broken, answers that came late) among all requests, below which no promise may be broken, and
 * from which on goodput comes first: an SLO is met where 99 % are in time. A request refused at once can be sent elsewhere in time, one refused late
 * cannot; but two to four newcomers are refused for one such, so it is done while there are requests to spare.
 */
const FEW_LOST = 0.007;
const MANY_LOST = 0.008;
/** Requests that the share of the lost is the mean of, less where fewer came. Crowds lose together: fewer would say little. */
const REMEMBERED = 32_768;
/** How much broken promises add, a batch full of them; and where none may be broken. */
const STEP = 0.4;
const STRICT_STEP = 2;
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
/** And so much of that at least: where none may be broken, what was learned is kept. */
const LEAST_DECAY = 0.01;
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
  /** Share of all requests that were lost. */
  #lost = 0;
  #requests = 0;
  /** From 0, where no promise may be broken, to 1, where goodput comes first. */
  #ease = 0;

  /** Share by which a newcomer and what waits before it are overstated. */
  get share(): number {
    return Math.max(this.#share, 0);
  }

  /** An admitted request was answered, out of an execution of `batchRows` rows; late where that took longer than was known. */
  answered(batchRows: number, inTime: boolean): void {
    this.#batchRows = batchRows;
    this.#count(inTime ? 0 : 1);
    const decay = (this.#inUse > 0 ? DECAY_IN_USE : DECAY) * Math.max(this.#ease, LEAST_DECAY);
    this.#inUse -= 1 / batchRows;
    this.#admitted += (1 - this.#admitted) * RECENT;
    const tolerated = this.#ease * BROKEN_SHARE * Math.max(this.#admitted, LEAST_TOLERANCE);
    this.#share = Math.max(this.#share - (STEP * tolerated + this.share * decay) / batchRows, -SAVED);
  }

  /** A newcomer was refused. */
  used(): void {
    this.#count(1);
    this.#inUse = IN_USE;
    this.#admitted -= this.#admitted * RECENT;
  }

  /** An admitted request was refused in the queue. */
  broken(): void {
    this.#count(1);
    const step = STRICT_STEP + (STEP - STRICT_STEP) * this.#ease;
    this.#share = Math.min(this.#share + step / this.#batchRows, MOST);
  }

  #count(lost: 0 | 1): void {
    this.#requests = Math.min(this.#requests + 1, REMEMBERED);
    this.#lost += (lost - this.#lost) / this.#requests;
    this.#ease = Math.min(Math.max((this.#lost - FEW_LOST) / (MANY_LOST - FEW_LOST), 0), 1);
  }
}
