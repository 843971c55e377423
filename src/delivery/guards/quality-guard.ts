import { BatchGuard } from '../batch-guard.js';
import type { Guard } from '../guard.js';
import type { RateLimits } from '../rate-guard.js';
import { LabelCoverage } from './label-coverage.js';
import { rateGuard } from './rates.js';

/** Wrong predictions among labelled ones, by labels posted under `feedback`. It does not pass on labels of uneven coverage. */
export function qualityGuard(name: string, limits: RateLimits, feedback: string): Guard {
  const rate = new LabelledRate(limits);
  return rateGuard({
    name,
    rate,
    take(_, seen) {
      const labels = seen.feedback[feedback];
      rate.coverage.observe(seen, labels);
      if (labels === undefined) return rate.verdict;
      return rate.observe(
        {
          candidate: labels.candidate.labels,
          baseline: labels.baseline.labels,
          candidateBad: labels.candidate.wrong,
          baselineBad: labels.baseline.wrong,
        },
        seen.split,
      );
    },
    things: 'labelled predictions',
    bad: 'were wrong',
    note: () => rate.coverage.text,
  });
}

class LabelledRate extends BatchGuard {
  readonly coverage = new LabelCoverage();

  protected override mayPass(): boolean {
    return !this.coverage.uneven;
  }
}
