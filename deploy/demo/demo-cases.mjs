/** The releases of the demo: what is wrong with each candidate, the plan it goes by, and how it has to end. */
import { writeFailing, writeGood, writeLessAccurate, writeSlow } from './demo-models.mjs';

/** Enough traffic to see something in a minute or two; a plan for production takes its time. */
const STEPS = [
  { shadow: 20, requests: 200 },
  { canary: 5, minSeconds: 5, minRequests: 100 },
  { canary: 25, minSeconds: 5, minRequests: 300 },
  { canary: 50, minSeconds: 5, minRequests: 500 },
];
const ERRORS = { metric: 'error-rate', maxDifference: 0.02 };
/** A tenth of the answers may be slower than the baseline's 90 %: a shared machine is not steadier than that. */
const LATENCY = { metric: 'latency', quantile: 0.9, maxRatio: 3, maxDifference: 0.1, harmRatio: 1.5 };
const QUALITY = { metric: 'quality', feedback: 'quality', maxRatio: 3, maxDifference: 0.01 };

const plan = (model, guards) => ({
  model,
  start: 'on-new-version',
  steps: STEPS,
  guards,
  alpha: 0.05,
  calibration: { executions: 300 },
  // Until its code is compiled, which a candidate that gets little takes longer for.
  coldStartExecutions: 200,
  timeLimits: { stepSeconds: 600, totalSeconds: 1200 },
  inconclusive: 'rollback',
});

/** Labels come so long after their answers. */
export const LABEL_DELAY_MS = 3000;

export const CASES = [
  {
    name: 'good',
    what: 'the same network, trained again: as good as the one that serves',
    model: 'digits',
    write: writeGood,
    plan: plan('digits', [ERRORS, LATENCY, QUALITY]),
    ends: 'promoted',
  },
  {
    name: 'slow',
    what: 'the same answers, but one execution in three computes 20 ms longer',
    model: 'digit-image',
    write: (folder) => writeSlow(folder, { every: 3, ms: 20 }),
    plan: plan('digit-image', [ERRORS, LATENCY]),
    ends: 'rolled-back',
    by: 'latency-p90',
  },
  {
    name: 'erroring',
    what: 'the same answers, but one execution in twelve fails',
    model: 'digit-image',
    write: (folder) => writeFailing(folder, { every: 12 }),
    plan: plan('digit-image', [ERRORS, LATENCY]),
    ends: 'rolled-back',
    by: 'error-rate',
  },
  {
    name: 'less-accurate',
    what: `a linear model: 97.8 % right where the network has 99.6 %; labels come ${LABEL_DELAY_MS / 1000} s late`,
    model: 'digits',
    write: writeLessAccurate,
    plan: plan('digits', [ERRORS, LATENCY, QUALITY]),
    ends: 'rolled-back',
    by: 'quality-quality',
  },
];
