import type { Guard } from '../guard.js';
import type { ArmTally } from '../observation.js';
import type { RateLimits } from '../rate-guard.js';
import { RequestGuard } from '../request-guard.js';
import type { Failures } from '../statistics/failure-share.js';
import { rateGuard } from './rates.js';

/** Requests that fail by the server's fault. Those of one execution fail together, and count so. */
export function errorRateGuard(name: string, limits: RateLimits): Guard {
  return rateGuard({
    name,
    rate: new RequestGuard(limits),
    take: (rate, { candidate, baseline, split }) =>
      rate.observe({ candidate: failures(candidate), baseline: failures(baseline) }, split),
    things: 'requests',
    bad: 'failed',
  });
}

function failures({ requests, errors, errorsTogether, largestExecution }: ArmTally): Failures {
  const inExecutions = errorsTogether.reduce((sum, executions, i) => sum + executions * (i + 1), 0);
  return {
    requests,
    alone: Math.max(0, errors - inExecutions),
    together: errorsTogether,
    largest: Math.max(1, largestExecution, errorsTogether.length),
  };
}
