import { BatchGuard } from '../batch-guard.js';
import type { Guard } from '../guard.js';
import type { LatencyQuantile } from '../guard-spec.js';
import type { ArmTally } from '../observation.js';
import type { RateLimits } from '../rate-guard.js';
import { rateGuard } from './rates.js';

/** Where a quantile stands in `Calibration.latencyLimitsNs` and `ArmTally.slower`. */
const CELLS = { 0.5: 0, 0.9: 1, 0.99: 2 } as const satisfies Record<LatencyQuantile, number>;

/**
 * Executions slower than `limitNs`, the baseline's quantile before the candidate had traffic. A small share of the requests makes
 * other batches and other waits than a large one, so that arms of equal code differ a little: `harmOdds` says what is no harm yet.
 */
export function latencyGuard(
  name: string,
  limits: RateLimits,
  quantile: LatencyQuantile,
  limitNs: number,
  harmOdds = 1,
): Guard {
  const cell = CELLS[quantile];
  const slower = ({ slower, executions }: ArmTally) => Math.min(slower[cell] ?? 0, executions);
  return rateGuard({
    name,
    rate: new BatchGuard(limits, harmOdds),
    take: (rate, { candidate, baseline, split }) =>
      rate.observe(
        {
          candidate: candidate.executions,
          baseline: baseline.executions,
          candidateBad: slower(candidate),
          baselineBad: slower(baseline),
        },
        split,
      ),
    things: 'executions',
    bad: `took more than ${Number((limitNs / 1e6).toPrecision(3))} ms`,
  });
}

/** The limit that a latency guard goes by, nanoseconds. */
export function latencyLimitNs(limitsNs: readonly [number, number, number], quantile: LatencyQuantile): number {
  return limitsNs[CELLS[quantile]];
}
