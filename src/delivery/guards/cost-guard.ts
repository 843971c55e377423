import type { Guard } from '../guard.js';
import type { ArmTally, Moments } from '../observation.js';
import type { Verdict } from '../rate-guard.js';
import { BinsBySplit } from '../statistics/bins-by-split.js';
import { MeanEvidence } from '../statistics/mean-evidence.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText } from './in-words.js';

interface CostLimits {
  readonly alpha: number;
  readonly maxRatio: number;
  /** Executions of the candidate. */
  readonly minObservations: number;
}

/** Executions of either arm by how many requests they had. */
interface Sizes {
  readonly candidate: readonly Moments[];
  readonly baseline: readonly Moments[];
}

/** Executions in a bin that have one of the other arm to be compared with. */
const LEAST_PAIRS = 4;

/** The mean of a bin counts as so many times the baseline's usual one at most: what is more may be chance of a heavy tail. */
const MOST_TIMES = 3;

/** A guess of the difference is at most 1, so no deviation from it below reaches this. */
const RANGE = MOST_TIMES + 1;

/**
 * Device time of executions beside the baseline's of about the same size, one observation a bin: the mean of a bin, in parts of
 * what the baseline usually takes for the size. So a bin counts once, whatever batch-mates and neighbours in time share.
 */
export function costGuard(name: string, limits: CostLimits): Guard {
  const { alpha, maxRatio, minObservations } = limits;
  const bins = new BinsBySplit<Sizes>(
    (one, other) => ({
      candidate: sums(one.candidate, other.candidate),
      baseline: sums(one.baseline, other.baseline),
    }),
    (bin) => pairs(bin).reduce((sum, { weight }) => sum + weight, 0) >= LEAST_PAIRS,
  );
  const usual: Moments[] = [];
  const [harm, safe] = [new RelativeCost(), new RelativeCost()];
  const of = { candidate: 0, baseline: 0 };
  const device = { requests: 0, ns: 0 };
  const [harmAt, safeAt] = [Math.log(1 / alpha), Math.log(1 / alpha)];
  const observeBin = (bin: Sizes): void => {
    const compared = compare(bin, usual);
    // The usual time is known before the bin, else it could not be a scale.
    usual.splice(0, usual.length, ...sums(usual, bin.baseline));
    if (compared === undefined) return;
    harm.add(compared.candidate - compared.baseline);
    safe.add(maxRatio * compared.baseline - compared.candidate);
  };
  return firstVerdict(name, {
    observe({ candidate, baseline, split }) {
      of.candidate += executions(candidate);
      of.baseline += executions(baseline);
      device.requests += baseline.requests;
      device.ns += baseline.deviceBySize.reduce((sum, cell) => sum + cell.sum, 0);
      const bin = bins.add(split, { candidate: candidate.deviceBySize, baseline: baseline.deviceBySize });
      if (bin === undefined) return 'inconclusive';
      observeBin(bin);
      if (harm.logAbove() >= harmAt) return 'fail';
      return of.candidate >= minObservations && safe.logAbove() >= safeAt ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const more = harm.evidence.mean;
      const ofBaseline = device.requests === 0 ? undefined : device.ns / device.requests;
      const known = more !== undefined && ofBaseline !== undefined;
      const { lower, upper } = harm.bounds(alpha);
      const words = {
        fail: `proven more than the baseline's${chanceText(alpha)}`,
        pass: `proven less than ${maxRatio} times the baseline's${chanceText(alpha)}`,
        inconclusive: `neither more nor less than ${maxRatio} times the baseline's is proven yet`,
      } as const satisfies Record<Verdict, string>;
      return {
        observed: { ...of },
        estimate: { candidate: known ? ofBaseline * (1 + more) : undefined, baseline: ofBaseline },
        difference: known ? { lower: ofBaseline * lower, upper: ofBaseline * upper } : undefined,
        logHarm: harm.logAbove(),
        logHarmLimit: harmAt,
        explanation: known
          ? `executions of the candidate take ${numberText(Number((1 + more).toPrecision(3)))} times the device time of the baseline's ` +
            `of their size, between ${numberText(Number((1 + lower).toPrecision(3)))} and ${numberText(Number((1 + upper).toPrecision(3)))}: ${words[verdict]}`
          : 'no executions of both arms yet that could be compared',
      };
    },
  });
}

/** Evidence on the mean of differences, in parts of the usual time, each at least -`MOST_TIMES`. */
class RelativeCost {
  readonly evidence = new MeanEvidence();
  #sum = 0;
  #count = 1;

  add(difference: number): void {
    const guess = Math.min(1, Math.max(-1, this.#sum / this.#count));
    this.#sum += difference;
    this.#count++;
    this.evidence.add({ sum: difference / RANGE, weight: 1 / RANGE, squares: ((difference - guess) / RANGE) ** 2 });
  }

  logAbove(): number {
    return this.evidence.logAbove(0);
  }

  bounds(alpha: number) {
    return this.evidence.bounds(alpha);
  }
}

/** Mean time of either arm in parts of the usual one, sizes weighed as both arms have them; undefined: none is known. */
function compare(bin: Sizes, usual: readonly Moments[]): { candidate: number; baseline: number } | undefined {
  const parts = pairs(bin).filter(({ cell }) => (usual[cell]?.sum ?? 0) > 0);
  const weight = parts.reduce((sum, part) => sum + part.weight, 0);
  if (weight === 0) return undefined;
  const mean = (arm: readonly Moments[]) =>
    parts.reduce((sum, part) => {
      const times = meanOf(arm[part.cell] as Moments) / meanOf(usual[part.cell] as Moments);
      return sum + part.weight * Math.min(MOST_TIMES, times);
    }, 0) / weight;
  return { candidate: mean(bin.candidate), baseline: mean(bin.baseline) };
}

/** Sizes that both arms had, by how many pairs of executions they make. */
function pairs({ candidate, baseline }: Sizes): { readonly cell: number; readonly weight: number }[] {
  return candidate
    .map(({ count }, cell) => ({ cell, weight: Math.min(count, baseline[cell]?.count ?? 0) }))
    .filter(({ weight }) => weight > 0);
}

function meanOf({ sum, count }: Moments): number {
  return sum / count;
}

function executions({ deviceBySize }: ArmTally): number {
  return deviceBySize.reduce((sum, { count }) => sum + count, 0);
}

const NO_MOMENTS: Moments = { count: 0, sum: 0, sumOfSquares: 0 };

function sums(one: readonly Moments[], other: readonly Moments[]): Moments[] {
  return Array.from({ length: Math.max(one.length, other.length) }, (_, i) => {
    const [a, b] = [one[i] ?? NO_MOMENTS, other[i] ?? NO_MOMENTS];
    return { count: a.count + b.count, sum: a.sum + b.sum, sumOfSquares: a.sumOfSquares + b.sumOfSquares };
  });
}
