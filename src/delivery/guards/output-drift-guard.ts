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
 * that are wrong in both directions alike, nor outputs that are no scores of classes, where the top index says nothing. It
 * counts anew with each split: traffic of another hour, divided otherwise, would set the arms apart. The k-th split has the
 * part 1 / (k (k + 1)) of alpha, all together alpha.
 */
export function outputDriftGuard(name: string, { alpha, maxTotalVariation, minObservations }: DriftLimits): Guard {
  let split = { number: Number.NEGATIVE_INFINITY, alpha: 0, of: 0 };
  let [candidate, baseline] = [emptyCells(), emptyCells()];
  let of = { candidate: 0, baseline: 0 };
  let lookAt = 0;
  const begin = (number: number) => {
    const next = split.of + 1;
    split = { number, alpha: alpha / (next * (next + 1)), of: next };
    [candidate, baseline] = [emptyCells(), emptyCells()];
    of = { candidate: 0, baseline: 0 };
    lookAt = 0;
  };
  return firstVerdict(name, {
    observe(seen) {
      // Splits in which one arm has no answers at all decide nothing and cost nothing.
      if (seen.share <= 0 || seen.share >= 1 || seen.split < split.number) return 'inconclusive';
      if (seen.split > split.number) begin(seen.split);
      of.candidate += add(candidate, seen.candidate.outputs);
      of.baseline += add(baseline, seen.baseline.outputs);
      if (of.candidate < lookAt) return 'inconclusive';
      lookAt = of.candidate + Math.max(LOOK_EVERY, of.candidate / 100);
      const { lower, upper } = new TotalVariation(candidate, baseline).bounds(split.alpha);
      if (lower > maxTotalVariation) return 'fail';
      return upper < maxTotalVariation && of.candidate >= minObservations ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const variation = new TotalVariation(candidate, baseline);
      const ofSplit = split.of === 0 ? alpha / 2 : split.alpha;
      const bounds = variation.bounds(ofSplit);
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
        logHarmLimit: Math.log(1 / ofSplit),
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

function emptyCells(): number[] {
  return new Array<number>(CELLS).fill(0);
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
