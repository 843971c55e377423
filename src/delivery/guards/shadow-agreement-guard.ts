import type { Guard } from '../guard.js';
import type { ShadowTally } from '../observation.js';
import type { Verdict } from '../rate-guard.js';
import { type Count, proportionBounds, proportionEvidence } from '../statistics/proportion-sequence.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText, percentText } from './in-words.js';

interface AgreementLimits {
  readonly alpha: number;
  readonly min: number;
  /** Compared copies. */
  readonly minObservations: number;
}

/** Share of copies whose answer agrees with the baseline's. A copy that the candidate failed does not. */
export function shadowAgreementGuard(name: string, of: 'all' | 'top', limits: AgreementLimits): Guard {
  const { alpha, min, minObservations } = limits;
  const count = { seen: 0, of: 0 };
  return firstVerdict(name, {
    observe({ shadow }) {
      const copies = agreement(shadow, of);
      if (copies.of === 0) return 'inconclusive';
      count.seen += copies.seen;
      count.of += copies.of;
      const { lower, upper } = proportionBounds(count, alpha);
      if (upper < min) return 'fail';
      return lower >= min && count.of >= minObservations ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const share = count.of === 0 ? undefined : count.seen / count.of;
      const { lower, upper } = proportionBounds(count, alpha);
      const words = {
        fail: `proven less than ${percentText(min)}${chanceText(alpha)}`,
        pass: `proven at least ${percentText(min)}${chanceText(alpha)}`,
        inconclusive: `neither at least ${percentText(min)} nor less is proven yet`,
      } as const satisfies Record<Verdict, string>;
      return {
        observed: { candidate: count.of, baseline: count.of },
        // The baseline agrees with itself.
        estimate: { candidate: share, baseline: share === undefined ? undefined : 1 },
        difference: { lower: lower - 1, upper: upper - 1 },
        logHarm: share !== undefined && share < min ? proportionEvidence(count, min) : 0,
        logHarmLimit: Math.log(1 / alpha),
        explanation:
          share === undefined
            ? 'no copies were compared yet'
            : `${numberText(count.seen)} of ${numberText(count.of)} copies agree with the baseline${of === 'top' ? ' in the top answer' : ''} ` +
              `(${percentText(share)}, between ${percentText(lower)} and ${percentText(upper)}): ${words[verdict]}`,
      };
    },
  });
}

function agreement({ compared, agreed, topCompared, topAgreed, failed }: ShadowTally, of: 'all' | 'top'): Count {
  return of === 'all' ? { seen: agreed, of: compared + failed } : { seen: topAgreed, of: topCompared + failed };
}
