import type { RolloutPlan } from '../../src/delivery/index.js';

/** A plan with copies, two shares and an error guard, and what a test says otherwise. */
export function rolloutPlan(told: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    model: 'm',
    candidate: 'latest',
    baseline: 'serving',
    start: 'now',
    steps: [
      { kind: 'shadow', shadowPercent: 20, requests: 100, minSeconds: 0 },
      { kind: 'canary', canaryPercent: 10, shadowPercent: 0, minSeconds: 5, minRequests: 100 },
      { kind: 'canary', canaryPercent: 50, shadowPercent: 0, minSeconds: 5, minRequests: 100 },
    ],
    guards: [
      {
        metric: 'error-rate',
        name: 'error-rate',
        weight: 1,
        minObservations: 100,
        maxRatio: 2,
        maxDifference: 0.02,
      },
    ],
    alpha: 0.01,
    hardLimits: { errorRate: 0.5, requests: 50, seconds: 60, notFinite: 1 },
    calibration: { executions: 100 },
    coldStartExecutions: 5,
    timeLimits: { stepSeconds: 600, totalSeconds: 3600 },
    inconclusive: 'rollback',
    after: 'promote',
    ...told,
  };
}
