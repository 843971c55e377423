import type { Guard } from '../guard.js';
import type { LabelTally } from '../observation.js';
import type { Verdict } from '../rate-guard.js';
import { BinsBySplit } from '../statistics/bins-by-split.js';
import { MeanDifference, type ValueMoments } from '../statistics/mean-evidence.js';
import { scaledMoments } from '../statistics/scaled-moments.js';
import { firstVerdict } from './first-verdict.js';
import { chanceText, numberText } from './in-words.js';
import { LabelCoverage } from './label-coverage.js';

interface KpiLimits {
  readonly alpha: number;
  readonly feedback: string;
  readonly better: 'higher' | 'lower';
  readonly maxLoss: number;
  readonly range: readonly [number, number];
  /** Values of the candidate. */
  readonly minObservations: number;
}

interface Values {
  readonly candidate: ValueMoments;
  readonly baseline: ValueMoments;
}

/** Values of either arm in a bin: the larger the bin, the better the means of the arms are weighed against each other. */
const LEAST_VALUES = 4;

/** Mean of a value posted as feedback, beside the baseline's. It does not pass on values of uneven coverage. */
export function kpiGuard(name: string, limits: KpiLimits): Guard {
  const { alpha, feedback, better, maxLoss, range, minObservations } = limits;
  const width = range[1] - range[0];
  const coverage = new LabelCoverage();
  const loss = new Loss(better);
  const of = { candidate: 0, baseline: 0 };
  const sum = { candidate: 0, baseline: 0 };
  const at = Math.log(1 / alpha);
  const mean = (arm: keyof typeof of) => (of[arm] === 0 ? undefined : sum[arm] / of[arm]);
  const values = (arm: keyof typeof of, { value }: LabelTally): ValueMoments => {
    const scaled = scaledMoments(value, range);
    of[arm] += scaled.count;
    sum[arm] += range[0] * scaled.count + width * scaled.sum;
    return scaled;
  };
  return firstVerdict(name, {
    observe(seen) {
      const labels = seen.feedback[feedback];
      coverage.observe(seen, labels);
      if (labels === undefined) return 'inconclusive';
      loss.observe(seen.split, {
        candidate: values('candidate', labels.candidate),
        baseline: values('baseline', labels.baseline),
      });
      if (loss.logAbove(0) >= at) return 'fail';
      if (of.candidate < minObservations || coverage.uneven) return 'inconclusive';
      return loss.logBelow(maxLoss / width) >= at ? 'pass' : 'inconclusive';
    },
    evidence(verdict) {
      const { lower, upper } = loss.differences(alpha);
      const [from, to] = [Math.max(-width, lower * width), Math.min(width, upper * width)];
      const words = {
        fail: `proven worse${chanceText(alpha)}`,
        pass: `proven less than ${maxLoss} worse${chanceText(alpha)}`,
        inconclusive: `neither worse nor less than ${maxLoss} worse is proven yet`,
      } as const satisfies Record<Verdict, string>;
      const inArm = (arm: keyof typeof of) =>
        `${numberText(Number((mean(arm) ?? 0).toPrecision(4)))} (${numberText(of[arm])} values)`;
      return {
        observed: { ...of },
        estimate: { candidate: mean('candidate'), baseline: mean('baseline') },
        difference: { lower: from, upper: to },
        logHarm: loss.logAbove(0),
        logHarmLimit: at,
        explanation:
          `mean of the candidate ${inArm('candidate')}, of the baseline ${inArm('baseline')}, the difference between ` +
          `${numberText(Number(from.toPrecision(3)))} and ${numberText(Number(to.toPrecision(3)))}: ${words[verdict]}; ${coverage.text}`,
      };
    },
  });
}

/** How much worse the candidate's mean is, in parts of the range. */
class Loss {
  readonly #bins = new BinsBySplit<Values>(
    (one, other) => ({
      candidate: both(one.candidate, other.candidate),
      baseline: both(one.baseline, other.baseline),
    }),
    ({ candidate, baseline }) => candidate.count >= LEAST_VALUES && baseline.count >= LEAST_VALUES,
  );
  readonly #difference = new MeanDifference();
  readonly #better: 'higher' | 'lower';

  constructor(better: 'higher' | 'lower') {
    this.#better = better;
  }

  observe(split: number, values: Values): void {
    const bin = this.#bins.add(split, values);
    if (bin !== undefined) this.#difference.observe(bin.candidate, bin.baseline);
  }

  logAbove(loss: number): number {
    const { evidence } = this.#difference;
    return this.#better === 'higher' ? evidence.logBelow(-loss) : evidence.logAbove(loss);
  }

  logBelow(loss: number): number {
    const { evidence } = this.#difference;
    return this.#better === 'higher' ? evidence.logAbove(-loss) : evidence.logBelow(loss);
  }

  /** Of the candidate less the baseline. */
  differences(alpha: number) {
    return this.#difference.evidence.bounds(alpha);
  }
}

function both(one: ValueMoments, other: ValueMoments): ValueMoments {
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    sumOfSquares: one.sumOfSquares + other.sumOfSquares,
  };
}
