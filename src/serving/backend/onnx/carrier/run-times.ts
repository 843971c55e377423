/** Size classes: powers of two of a batch's input bytes. */
const CLASSES = 48;
/** How fast the upper estimate rises to a slower run and falls to quicker ones. */
const RISE = 1 / 8;
const FALL = 1 / 64;
/** The quickest run on the pool is believed a little less with each run that is slower. */
const FORGET = 1.02;

/** The class of a batch of so many input bytes. */
export function sizeClass(bytes: number): number {
  return Math.min(CLASSES - 1, 32 - Math.clz32(Math.min(bytes, 2 ** 31)));
}

/**
 * How long the runs of a version take, by the size of their inputs. Two estimates a class: an upper one of the run alone
 * (an expectile: few slow runs lift it, many quick ones bring it down), and the quickest of late with the hop of the pool
 * in it, which no crowd in the pool makes longer than it is.
 */
export class RunTimes {
  readonly #upperNs = new Float64Array(CLASSES).fill(Number.NaN);
  readonly #quickestNs = new Float64Array(CLASSES).fill(Number.NaN);
  readonly #capNs: number;

  /** One run counts as `capNs` at most: a single outlier says little of the others. */
  constructor(capNs: number) {
    this.#capNs = capNs;
  }

  /** A run whose own time is known. */
  addExact(of: number, ns: number): void {
    this.#upperNs[of] = lifted(this.#upperNs[of] as number, Math.min(ns, this.#capNs));
  }

  /** A run with a hop to another thread and back in it. */
  addWithHop(of: number, ns: number): void {
    const known = this.#quickestNs[of] as number;
    this.#quickestNs[of] = Number.isNaN(known) ? ns : Math.min(ns, known * FORGET);
    // With its hop it took no more than this, so alone neither.
    const upper = this.#upperNs[of] as number;
    if (ns < upper) this.#upperNs[of] = lifted(upper, ns);
  }

  /** Upper estimate of a run alone; NaN where nothing is known of its class. */
  upperNs(of: number): number {
    return this.#upperNs[of] as number;
  }

  /** The quickest run with its hop of late; NaN where there was none. */
  quickestNs(of: number): number {
    return this.#quickestNs[of] as number;
  }

  /**
   * What a run of the class takes at most, by what is known of others: no longer than a larger one; no more than twice as
   * long as one of half its size. NaN where nothing is known.
   */
  guessNs(of: number): number {
    const own = this.#upperNs[of] as number;
    if (!Number.isNaN(own)) return own;
    for (let larger = of + 1; larger < CLASSES; larger++) {
      const ns = this.#upperNs[larger] as number;
      if (!Number.isNaN(ns)) return ns;
    }
    for (let smaller = of - 1; smaller >= 0; smaller--) {
      const ns = this.#upperNs[smaller] as number;
      if (!Number.isNaN(ns)) return ns * 2 ** (of - smaller);
    }
    return Number.NaN;
  }
}

/** An estimate after one more run. */
export function lifted(estimate: number, ns: number): number {
  if (Number.isNaN(estimate)) return ns;
  return estimate + (ns - estimate) * (ns > estimate ? RISE : FALL);
}
