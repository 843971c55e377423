import { logMeanExp } from './log-mean.js';

/** Ratios of the candidate's rate to the baseline's that a test for harm looks for. */
export const HARM_RATIOS: readonly number[] = [1.25, 1.5, 2, 3, 5, 10, 20];

/**
 * An e-process on the share of events that fall to the candidate. Where the candidate gets share w of the independent
 * requests and has at most `nullRatio` times the baseline's rate of events, an event is the candidate's with probability at
 * most w r / (w r + 1 - w), r = `nullRatio`. The process is the mean likelihood ratio over `ratios` against that; under the
 * null its chance to ever reach 1 / alpha is at most alpha (Ville), so it may be looked at after every event. For events
 * that are rare (below a tenth) and independent; `ConditionalOdds` is for the others. Constant memory.
 *
 * With all ratios above `nullRatio` it proves harm, with all below that the candidate is not worse than `nullRatio` times
 * the baseline; with ratios on both sides it tests for equality with `nullRatio`.
 */
export class EventShare {
  readonly #ratios: readonly number[];
  readonly #nullRatio: number;
  readonly #logs: Float64Array;
  /** What an event of either arm adds at the share below. */
  readonly #ofCandidate: Float64Array;
  readonly #ofBaseline: Float64Array;
  #share = Number.NaN;

  constructor(ratios: readonly number[] = HARM_RATIOS, nullRatio = 1) {
    this.#ratios = ratios;
    this.#nullRatio = nullRatio;
    this.#logs = new Float64Array(ratios.length);
    this.#ofCandidate = new Float64Array(ratios.length);
    this.#ofBaseline = new Float64Array(ratios.length);
  }

  /** So many events came in either arm while the candidate had `share` of the requests, above 0 and below 1. */
  observe(candidateEvents: number, baselineEvents: number, share: number): void {
    if (share !== this.#share) this.#setShare(share);
    for (let i = 0; i < this.#logs.length; i++) {
      const ofCandidate = candidateEvents * (this.#ofCandidate[i] as number);
      this.#logs[i] = (this.#logs[i] as number) + ofCandidate + baselineEvents * (this.#ofBaseline[i] as number);
    }
  }

  /** ln of the e-value now. */
  get logE(): number {
    return logMeanExp(this.#logs);
  }

  #setShare(share: number): void {
    if (!(share > 0 && share < 1)) throw new RangeError(`a share between 0 and 1 was expected, not ${share}`);
    const ofNull = candidateShare(share, this.#nullRatio);
    for (let i = 0; i < this.#ratios.length; i++) {
      const ofRatio = candidateShare(share, this.#ratios[i] as number);
      this.#ofCandidate[i] = Math.log(ofRatio / ofNull);
      this.#ofBaseline[i] = Math.log((1 - ofRatio) / (1 - ofNull));
    }
    this.#share = share;
  }
}

/** Share of all events that are the candidate's, where its rate is `ratio` times the baseline's. */
function candidateShare(share: number, ratio: number): number {
  return (share * ratio) / (share * ratio + 1 - share);
}
