import type { Guard } from '../guard.js';
import type { Verdict } from '../rate-guard.js';
import { TotalVariation } from '../statistics/total-variation.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText } from './in-words.js';

interface DriftLimits {
  readonly alpha: number;
  readonly maxTotalVariation: number;
  /** Answers of the candidate. */
  readonly minObservations: number;
}

/** Cells of `ArmTally.outputs`. */
const CELLS = 64;

/** The bounds are computed anew after so many answers of the candidate, or a hundredth more. */
const LOOK_EVERY = 64;

/**
 * Law of the answers' top index in either arm. It sees that other classes are named more or less often; it cannot see answers
 * that are wrong in both directions alike, nor outputs that are no scores of classes, where the top index says nothing.
 */
export function outputDriftGuard(name: string, { alpha, maxTotalVariation, minObservations }: DriftLimits): Guard {
  const [candidate, baseline] = [new Array<number>(CELLS).fill(0), new Array<number>(CELLS).fill(0)];
  const of = { candidate: 0, baseline: 0 };
  let lookAt = 0;
  return firstVerdict(name, {
    observe(seen) {
      of.candidate += add(candidate, seen.candidate.outputs);
      of.baseline += add(baseline, seen.baseline.outputs);
      if (of.candidate < lookAt) return 'inconclusive';
      lookAt = of.candidate + Math.max(LOOK_EVERY, of.candidate / 100);
      const { lower, upper } = new TotalVariation(candidate, baseline).bounds(alpha);
      if (lower > maxTotalVariation) return 'fail';
      return upper < maxTotalVariation && of.candidate >= minObservations ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const variation = new TotalVariation(candidate, baseline);
      const bounds = variation.bounds(alpha);
      const known = of.candidate > 0 && of.baseline > 0;
      const words = {
        fail: `proven more than ${maxTotalVariation}${chanceText(alpha)}`,
        pass: `proven less than ${maxTotalVariation}${chanceText(alpha)}`,
        inconclusive: `neither more nor less than ${maxTotalVariation} is proven yet`,
      } as const satisfies Record<Verdict, string>;
      return {
        observed: { ...of },
        // The distance is of both arms; the baseline has none from itself.
        estimate: { candidate: known ? variation.seen : undefined, baseline: known ? 0 : undefined },
        difference: bounds,
        logHarm: variation.logAbove(maxTotalVariation),
        logHarmLimit: Math.log(1 / alpha),
        explanation: known
          ? `total variation between the top answers of the arms is ${shortText(variation.seen)}, between ` +
            `${shortText(bounds.lower)} and ${shortText(bounds.upper)}: ${words[verdict]}`
          : 'no answers of both arms yet',
      };
    },
  });
}

function shortText(value: number): string {
  return numberText(Number(value.toPrecision(3)));
}

/** Adds counts, and says how many they are. */
function add(cells: number[], counts: readonly number[]): number {
  let of = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    const cell = Math.min(i, CELLS - 1);
    cells[cell] = (cells[cell] as number) + count;
    of += count;
  }
  return of;
}
