import type { Guard, GuardEvidence } from '../guard.js';
import type { Observation } from '../observation.js';
import type { Verdict } from '../rate-guard.js';
import { EventShare } from '../statistics/event-share.js';
import { numberText, percentText } from './in-words.js';

/** Chance of a false alarm, apart from the plan's alpha: a broken split voids every other verdict. */
const SAMPLE_RATIO_ALPHA = 0.001;

/** Odds of a request to come to the candidate, in parts of those it should have. */
const WRONG_ODDS = [1 / 2, 1 / 1.25, 1 / 1.1, 1 / 1.05, 1.05, 1.1, 1.25, 2];

/** It passes where the odds are proven to be nearer than this to what they should be, on either side. */
const NEAR_ODDS = 1.25;

/**
 * Whether the arms get the requests that the split gives them: where not, something on the way loses or repeats those of one
 * arm, and no comparison of the two means anything. For splits that draw every request anew; where a key keeps a caller on its
 * side, one caller's requests are not independent, and a busy one would be taken for a fault. It goes on watching after it has
 * passed.
 */
export class SampleRatioGuard implements Guard {
  readonly name = 'sample-ratio';
  readonly #wrong = new EventShare(WRONG_ODDS, 1);
  readonly #notMore = new EventShare([1, 1 / NEAR_ODDS], NEAR_ODDS);
  readonly #notLess = new EventShare([1, NEAR_ODDS], 1 / NEAR_ODDS);
  readonly #requests = { candidate: 0, baseline: 0, expected: 0 };
  #verdict: Verdict = 'inconclusive';

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** In words, once the split is proven broken; else undefined. */
  get broken(): string | undefined {
    return this.#verdict === 'fail' ? this.evidence().explanation : undefined;
  }

  observe({ candidate, baseline, share }: Observation): Verdict {
    if (this.#verdict === 'fail' || share <= 0 || share >= 1) return this.#verdict;
    const [ofCandidate, ofBaseline] = [candidate.requests, baseline.requests];
    if (ofCandidate + ofBaseline === 0) return this.#verdict;
    this.#requests.candidate += ofCandidate;
    this.#requests.baseline += ofBaseline;
    this.#requests.expected += (ofCandidate + ofBaseline) * share;
    for (const evidence of [this.#wrong, this.#notMore, this.#notLess])
      evidence.observe(ofCandidate, ofBaseline, share);
    this.#verdict = this.#judge();
    return this.#verdict;
  }

  evidence(): GuardEvidence {
    const { candidate, baseline, expected } = this.#requests;
    const of = candidate + baseline;
    const share = of === 0 ? undefined : candidate / of;
    return {
      name: this.name,
      verdict: this.#verdict,
      observed: { candidate, baseline },
      estimate: { candidate: share, baseline: share === undefined ? undefined : 1 - share },
      difference: undefined,
      logHarm: this.#wrong.logE,
      logHarmLimit: Math.log(1 / SAMPLE_RATIO_ALPHA),
      explanation:
        share === undefined
          ? 'no requests yet'
          : `${numberText(candidate)} of ${numberText(of)} requests came to the candidate (${percentText(share)}), ` +
            `${percentText(expected / of)} were meant to: ${WORDS[this.#verdict]}`,
    };
  }

  #judge(): Verdict {
    if (this.#wrong.logE >= Math.log(1 / SAMPLE_RATIO_ALPHA)) return 'fail';
    if (this.#verdict === 'pass') return 'pass';
    // Both sides have to be proven; together they are wrong only if one of them is.
    const least = Math.min(this.#notMore.logE, this.#notLess.logE);
    return least >= Math.log(1 / SAMPLE_RATIO_ALPHA) ? 'pass' : 'inconclusive';
  }
}

const WORDS = {
  pass: `proven to be within a factor of ${NEAR_ODDS} of that`,
  fail: 'that is not chance, so requests of one arm are lost or repeated on the way',
  inconclusive: 'that may be chance',
} as const satisfies Record<Verdict, string>;
