import { numberText, percentText } from './guards/in-words.js';
import type { Observation } from './observation.js';

/** What needs no statistics, and so few observations that it acts at once. */
export interface HardLimitSpec {
  /** More than this share of the candidate's requests failed, of at least `requests` in the last `seconds`. */
  readonly errorRate: number;
  readonly requests: number;
  readonly seconds: number;
  /** So many answers with an element that is not a finite number. */
  readonly notFinite: number;
}

/** The candidate's requests of one stretch of time. */
interface Stretch {
  readonly atMs: number;
  readonly requests: number;
  readonly errors: number;
}

/** Stretches that are remembered at most; a longer time holds its latest ones. */
const MOST_STRETCHES = 4096;

/** Watches for a burst of errors and for answers that are no numbers. A fold over observations; the first limit passed stands. */
export class HardLimits {
  readonly #spec: HardLimitSpec;
  readonly #recent: Stretch[] = [];
  #notFinite = 0;
  #tripped: string | undefined;

  constructor(spec: HardLimitSpec) {
    this.#spec = spec;
  }

  /** In words, once a limit is passed. */
  get tripped(): string | undefined {
    return this.#tripped;
  }

  observe({ atMs, candidate }: Observation): string | undefined {
    if (this.#tripped !== undefined) return this.#tripped;
    this.#notFinite += candidate.notFinite;
    if (candidate.requests > 0) this.#recent.push({ atMs, requests: candidate.requests, errors: candidate.errors });
    const since = atMs - this.#spec.seconds * 1000;
    const kept = this.#recent.findIndex((stretch) => stretch.atMs > since);
    this.#recent.splice(0, kept === -1 ? this.#recent.length : Math.max(kept, this.#recent.length - MOST_STRETCHES));
    this.#tripped = this.#tooManyErrors() ?? this.#tooManyNotFinite();
    return this.#tripped;
  }

  /** The latest stretches, as few as have enough requests: old good answers do not hide new errors. */
  #tooManyErrors(): string | undefined {
    const { errorRate, requests: least, seconds } = this.#spec;
    let [requests, errors] = [0, 0];
    for (let i = this.#recent.length - 1; i >= 0 && requests < least; i--) {
      const stretch = this.#recent[i] as Stretch;
      requests += stretch.requests;
      errors += stretch.errors;
    }
    if (requests < least || errors <= errorRate * requests) return undefined;
    return (
      `${numberText(errors)} of the last ${numberText(requests)} requests of the candidate failed within ${seconds} s, ` +
      `more than ${percentText(errorRate)}`
    );
  }

  #tooManyNotFinite(): string | undefined {
    if (this.#notFinite === 0 || this.#notFinite < this.#spec.notFinite) return undefined;
    return `${numberText(this.#notFinite)} answers of the candidate held an element that is not a finite number`;
  }
}
