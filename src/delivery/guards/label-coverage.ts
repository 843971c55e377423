import type { FeedbackTally, Observation } from '../observation.js';
import { EventShare } from '../statistics/event-share.js';
import { percentText } from './in-words.js';

/** Chance to doubt labels without reason, apart from the plan's alpha: it can only keep a guard from passing. */
const COVERAGE_ALPHA = 0.001;

/** Odds of a request of the candidate to get a label, in parts of those of one of the baseline. */
const UNEVEN_ODDS = [1 / 2, 1 / 1.25, 1 / 1.1, 1.1, 1.25, 2];

/** Splits whose requests are remembered: labels come late. */
const MOST_SPLITS = 32;

interface Arms {
  candidate: number;
  baseline: number;
}

/**
 * Whether both arms get labels for the same part of their requests. Missing labels are not missing by chance: where one arm
 * gets fewer, those that came do not speak for those that did not. Each label goes by the requests of its split that have
 * none yet.
 */
export class LabelCoverage {
  readonly #uneven = new EventShare(UNEVEN_ODDS, 1);
  /** Requests without a label. */
  readonly #open = new Map<number, Arms>();
  readonly #requests: Arms = { candidate: 0, baseline: 0 };
  readonly #labels: Arms = { candidate: 0, baseline: 0 };
  #isUneven = false;

  observe({ split, candidate, baseline }: Observation, labels: FeedbackTally | undefined): void {
    const open = this.#open.get(split) ?? this.#begin(split);
    open.candidate += candidate.requests;
    open.baseline += baseline.requests;
    this.#requests.candidate += candidate.requests;
    this.#requests.baseline += baseline.requests;
    if (labels === undefined) return;
    const [ofCandidate, ofBaseline] = [labels.candidate.labels, labels.baseline.labels];
    const share = open.candidate / (open.candidate + open.baseline);
    // Labels of requests that ended before this began to watch cannot be told apart.
    if (ofCandidate > open.candidate || ofBaseline > open.baseline || !(share > 0 && share < 1)) return;
    this.#labels.candidate += ofCandidate;
    this.#labels.baseline += ofBaseline;
    this.#uneven.observe(ofCandidate, ofBaseline, share);
    open.candidate -= ofCandidate;
    open.baseline -= ofBaseline;
    this.#isUneven ||= this.#uneven.logE >= Math.log(1 / COVERAGE_ALPHA);
  }

  /** Proven, once and for all. */
  get uneven(): boolean {
    return this.#isUneven;
  }

  /** In words. */
  get text(): string {
    const part = (arm: keyof Arms) =>
      percentText(this.#requests[arm] === 0 ? 0 : this.#labels[arm] / this.#requests[arm]);
    const parts = `labels came for ${part('candidate')} of the candidate's requests and ${part('baseline')} of the baseline's`;
    return this.#isUneven ? `${parts}, which is not chance: those that came do not speak for the others` : parts;
  }

  #begin(split: number): Arms {
    const arms = { candidate: 0, baseline: 0 };
    this.#open.set(split, arms);
    if (this.#open.size > MOST_SPLITS) this.#open.delete(this.#open.keys().next().value as number);
    return arms;
  }
}
