import type { Guard } from '../guard.js';
import type { Moments } from '../observation.js';
import type { Verdict } from '../rate-guard.js';
import { ValueMean, type ValueMoments } from '../statistics/mean-evidence.js';
import { scaledMoments } from '../statistics/scaled-moments.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText } from './in-words.js';

interface DistanceLimits {
  readonly alpha: number;
  readonly limit: number;
  /** Compared copies. */
  readonly minObservations: number;
}

type Distance = 'rank-correlation' | 'total-variation';

/** What values can be, what they are of the same answer, and which way is worse. */
const DISTANCES = {
  'rank-correlation': { range: [-1, 1], ofSame: 1, worse: 'lower', words: 'mean rank correlation' },
  'total-variation': { range: [0, 1], ofSame: 0, worse: 'higher', words: 'mean total variation' },
} as const satisfies Record<Distance, object>;

/** Mean of how far the answers to copies are from the baseline's, over copies that were answered. */
export function shadowDistanceGuard(name: string, of: Distance, limits: DistanceLimits): Guard {
  const { alpha, limit, minObservations } = limits;
  const { range, ofSame, worse, words } = DISTANCES[of];
  const [low, width] = [range[0], range[1] - range[0]];
  const values = new ValueMean();
  const { evidence } = values;
  const scaledLimit = (limit - low) / width;
  const at = Math.log(1 / alpha);
  let copies = 0;
  const logWorse = () => (worse === 'higher' ? evidence.logAbove(scaledLimit) : evidence.logBelow(scaledLimit));
  const logBetter = () => (worse === 'higher' ? evidence.logBelow(scaledLimit) : evidence.logAbove(scaledLimit));
  return firstVerdict(name, {
    observe({ shadow }) {
      const seen: Moments = of === 'rank-correlation' ? shadow.rankCorrelation : shadow.totalVariation;
      const moments: ValueMoments = scaledMoments(seen, range);
      if (moments.count === 0) return 'inconclusive';
      copies += moments.count;
      values.observe(moments);
      if (logWorse() >= at) return 'fail';
      return copies >= minObservations && logBetter() >= at ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const { mean } = evidence;
      const [lower, upper] = [evidence.bounds(alpha).lower, evidence.bounds(alpha).upper].map((bound) =>
        Math.min(range[1], Math.max(range[0], low + width * bound)),
      ) as [number, number];
      const scaled = mean === undefined ? undefined : low + width * mean;
      const side = worse === 'higher' ? ['more', 'less'] : ['less', 'more'];
      const verdicts = {
        fail: `proven ${side[0]} than ${limit}${chanceText(alpha)}`,
        pass: `proven ${side[1]} than ${limit}${chanceText(alpha)}`,
        inconclusive: `neither more nor less than ${limit} is proven yet`,
      } as const satisfies Record<Verdict, string>;
      return {
        observed: { candidate: copies, baseline: copies },
        estimate: { candidate: scaled, baseline: scaled === undefined ? undefined : ofSame },
        difference: { lower: lower - ofSame, upper: upper - ofSame },
        logHarm: logWorse(),
        logHarmLimit: at,
        explanation:
          scaled === undefined
            ? 'no copies were compared yet'
            : `${words} with the baseline's answers is ${shortText(scaled)} over ${numberText(copies)} copies, ` +
              `between ${shortText(lower)} and ${shortText(upper)}: ${verdicts[verdict]}`,
      };
    },
  });
}

function shortText(value: number): string {
  return numberText(Number(value.toPrecision(3)));
}
