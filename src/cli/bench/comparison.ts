import type { BenchResult, ScenarioResult } from './bench-result.js';
import { median, type RatioEstimate, rankTest, ratioEstimate } from './statistics.js';
import { METRICS, type Metric, type Thresholds, toleranceOf } from './thresholds.js';

/**
 * `worse`: beyond the tolerance, and the interval holds no "equal or better". `unclear`: the interval reaches beyond the
 * tolerance, more rounds would tell. `same`: neither. `shown`: not judged.
 */
export type Verdict = 'worse' | 'better' | 'same' | 'unclear' | 'shown';

/** One figure of one scenario in both results. */
export interface ComparedFigure {
  readonly scenario: string;
  readonly metric: Metric;
  readonly baseline: number;
  readonly candidate: number;
  /** Candidate over baseline. */
  readonly estimate: RatioEstimate;
  /** Of the rank test. */
  readonly pValue: number;
  readonly tolerance: number | undefined;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly figures: readonly ComparedFigure[];
  /** What cannot be compared, or failed in the candidate; in words. */
  readonly problems: readonly string[];
  /** Whether nothing is worse and there is no problem. */
  readonly passed: boolean;
}

/** With fewer rounds the interval is a fiction; what is counted varies by so little that three show a range. */
const LEAST_ROUNDS = { timed: 5, counted: 3 };

/** Compares every scenario that both have. Paired where the rounds of both were taken by turns. */
export function compareResults(
  baseline: BenchResult,
  candidate: BenchResult,
  thresholds: Thresholds,
  paired: boolean,
): Comparison {
  const figures: ComparedFigure[] = [];
  const problems: string[] = [];
  for (const before of baseline.scenarios) {
    const after = candidate.scenarios.find(({ name }) => name === before.name);
    if (after === undefined) problems.push(`${before.name}: the candidate has no such scenario`);
    else if (!answered(before) || !answered(after))
      problems.push(
        `${before.name}: nothing was answered in a round of the ${answered(before) ? 'candidate' : 'baseline'}`,
      );
    else {
      const rounds = Math.min(before.rounds.length, after.rounds.length);
      const least = leastRounds(before);
      if (rounds < least) problems.push(`${before.name}: ${rounds} rounds cannot be judged, ${least} can`);
      figures.push(...compareScenario(before, after, thresholds, paired, rounds >= least));
    }
    const errors = after?.rounds.reduce((sum, round) => sum + round.errors, 0) ?? 0;
    if (errors > 0) problems.push(`${before.name}: ${errors} requests failed in the candidate`);
  }
  return { figures, problems, passed: problems.length === 0 && figures.every(({ verdict }) => verdict !== 'worse') };
}

function leastRounds({ rounds }: ScenarioResult): number {
  const counted = rounds.every((round) => round.instructionsPerRequest ?? round.heapBytesPerRequest);
  return counted ? LEAST_ROUNDS.counted : LEAST_ROUNDS.timed;
}

function answered({ rounds }: ScenarioResult): boolean {
  return rounds.length > 0 && rounds.every((round) => round.answers > 0);
}

function compareScenario(
  before: ScenarioResult,
  after: ScenarioResult,
  thresholds: Thresholds,
  paired: boolean,
  judged: boolean,
): ComparedFigure[] {
  return (Object.keys(METRICS) as Metric[]).flatMap((metric) => {
    const values = ({ rounds }: ScenarioResult) => rounds.flatMap((round) => round[metric] ?? []);
    const [baseline, candidate] = [values(before), values(after)];
    // CPU time is not read everywhere.
    if (baseline.length === 0 || candidate.length === 0) return [];
    const estimate = ratioEstimate(baseline, candidate, { paired, confidence: thresholds.confidence });
    const tolerance = judged ? toleranceOf(thresholds, before.name, metric) : undefined;
    const figure = {
      scenario: before.name,
      metric,
      baseline: median(baseline),
      candidate: median(candidate),
      estimate,
      pValue: rankTest(baseline, candidate, paired),
      tolerance,
    };
    return { ...figure, verdict: tolerance === undefined ? 'shown' : verdictOf(metric, estimate, tolerance) };
  });
}

/** Judges a ratio of candidate to baseline. */
export function verdictOf(metric: Metric, { ratio, low, high }: RatioEstimate, tolerance: number): Verdict {
  const more = METRICS[metric].better === 'more';
  // How many times worse: above 1 is worse, whichever way the metric goes.
  const worse = more ? { ratio: 1 / ratio, low: 1 / high, high: 1 / low } : { ratio, low, high };
  if (worse.ratio > 1 + tolerance && worse.low > 1) return 'worse';
  if (worse.ratio < 1 / (1 + tolerance) && worse.high < 1) return 'better';
  return worse.high > 1 + tolerance ? 'unclear' : 'same';
}
