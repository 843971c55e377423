import { describe, expect, it } from 'vitest';
import type { RolloutPlan } from '../../delivery/index.js';
import { parseRolloutPlan } from '../index.js';

const PLAN = `model: digits
steps:
  - shadow: 20
    requests: 300
  - canary: 1
    minSeconds: 60
  - approval: ann
  - canary: 25
    shadow: 5
guards:
  - metric: error-rate
  - metric: latency
  - metric: shadow-agreement
  - metric: kpi
    feedback: revenue
    maxLoss: 0.5
    range: [0, 100]
`;

const parse = (text: string, model?: string) => parseRolloutPlan(text, 'rollout.yaml', model);

describe('a rollout plan', () => {
  it('is read with its defaults, as the rollout engine takes it', () => {
    const plan: RolloutPlan = parse(PLAN).plan;
    expect(plan).toMatchObject({
      model: 'digits',
      candidate: 'latest',
      baseline: 'serving',
      start: 'now',
      alpha: 0.01,
      inconclusive: 'hold',
      after: 'promote',
      calibration: { executions: 500 },
      hardLimits: { errorRate: 0.5, requests: 50, seconds: 60, notFinite: 1 },
      steps: [
        { kind: 'shadow', shadowPercent: 20, requests: 300, minSeconds: 0 },
        { kind: 'canary', canaryPercent: 1, shadowPercent: 0, minSeconds: 60, minRequests: 100 },
        { kind: 'approval', who: 'ann' },
        { kind: 'canary', canaryPercent: 25, shadowPercent: 5, minSeconds: 0, minRequests: 100 },
      ],
      guards: [
        {
          metric: 'error-rate',
          name: 'error-rate',
          weight: 1,
          minObservations: 100,
          maxRatio: 2,
          maxDifference: 0.005,
        },
        { metric: 'latency', name: 'latency-p99', quantile: 0.99, maxRatio: 2, maxDifference: 0.02, harmRatio: 1.25 },
        { metric: 'shadow-agreement', name: 'shadow-agreement-top', of: 'top', min: 0.95 },
        { metric: 'kpi', name: 'kpi-revenue', feedback: 'revenue', better: 'higher', maxLoss: 0.5, range: [0, 100] },
      ],
    });
  });

  it('is the same as JSON, and after it was read back from JSON', () => {
    const { plan } = parse(PLAN);
    const json = JSON.stringify({
      model: 'digits',
      steps: [
        { shadow: 20, requests: 300 },
        { canary: 1, minSeconds: 60 },
        { approval: 'ann' },
        { canary: 25, shadow: 5 },
      ],
      guards: [
        { metric: 'error-rate' },
        { metric: 'latency' },
        { metric: 'shadow-agreement' },
        { metric: 'kpi', feedback: 'revenue', maxLoss: 0.5, range: [0, 100] },
      ],
    });
    expect(parse(json).plan).toEqual(plan);
  });

  it('may leave out the model where it stands beside one, and names no other', () => {
    const text = PLAN.replace('model: digits\n', 'start: on-new-version\n');
    expect(parse(text, 'digits').plan.model).toBe('digits');
    expect(() => parse(text)).toThrow('rollout.yaml: model: is required');
    expect(() => parse(PLAN, 'other')).toThrow("rollout.yaml:1: model: stands beside model 'other'");
  });

  const one = (line: string) => PLAN.replace('minSeconds: 60', line);
  it.each([
    [
      'shares that do not rise',
      PLAN.replace('canary: 25', 'canary: 1'),
      '8: steps[3].canary: expected more than the 1 percent',
    ],
    ['a share beyond all', PLAN.replace('canary: 25', 'canary: 101'), '8: steps[3].canary: Too big'],
    [
      'a share finer than a bucket',
      PLAN.replace('canary: 25', 'canary: 1.001'),
      '8: steps[3].canary: a share has steps of 0.01 percent',
    ],
    [
      'everything at once',
      `model: m\nsteps: [{canary: 100}]\nguards: [{metric: error-rate}]`,
      '2: steps[0].canary: at 100 percent there is nothing to compare with',
    ],
    [
      'copies after a canary',
      PLAN.replace('canary: 25\n    ', ''),
      '8: steps[3]: a step with copies only stands after a canary',
    ],
    [
      'a step of nothing',
      one('').replace('canary: 1\n', 'minSeconds: 3\n'),
      '5: steps[1]: expected one of shadow, canary, approval',
    ],
    ['a field of another step', one('requests: 3'), "6: steps[1].requests: a step with 'canary' takes no 'requests'"],
    [
      'a field with a slip',
      one('minSecond: 60'),
      "6: steps[1].minSecond: unknown field 'minSecond', did you mean 'minSeconds'?",
    ],
    [
      'no step with traffic',
      PLAN.replace(/steps:[\s\S]*guards/, 'steps: [{approval: ann}]\nguards'),
      '2: steps: no step gives the candidate any request',
    ],
    ['alpha of nought', `alpha: 0\n${PLAN}`, '1: alpha: Too small'],
    ['alpha of more than half', `alpha: 0.6\n${PLAN}`, '1: alpha: Too big'],
    [
      'two guards of one name',
      `${PLAN}  - metric: error-rate\n`,
      "18: guards[4].name: two guards are named 'error-rate'",
    ],
    [
      'a guard that never learns anything',
      PLAN.replace('shadow: 20\n    requests: 300', 'canary: 0.5').replace('    shadow: 5\n', ''),
      'could never pass: no step makes copies',
    ],
    [
      'a metric with a slip',
      PLAN.replace('metric: latency', 'metric: latncy'),
      '12: guards[1].metric: expected one of error-rate, latency',
    ],
    [
      'a field of another metric',
      PLAN.replace('metric: latency', 'metric: cost\n    maxDifference: 0.1'),
      "13: guards[1].maxDifference: a guard of 'cost' takes no 'maxDifference'",
    ],
    [
      'a guard without what it needs',
      PLAN.replace('maxLoss: 0.5', 'better: lower'),
      "guards[3].maxLoss: a guard of 'kpi' needs 'maxLoss'",
    ],
    [
      'a demand of an unknown guard',
      one('requires: [eror-rate]'),
      "6: steps[1].requires[0]: no guard 'eror-rate', did you mean 'error-rate'?",
    ],
    [
      'a baseline that is the candidate',
      `candidate: 3\nbaseline: 3\n${PLAN}`,
      '2: baseline: version 3 is the candidate itself',
    ],
    ['a version of its own that starts by itself', `start: on-new-version\ncandidate: 3\n${PLAN}`, '2: candidate: '],
    [
      'a step longer than its limit',
      `timeLimits: {stepSeconds: 60}\n${PLAN}`,
      '7: steps[1].minSeconds: the time limit of a step is 60 s',
    ],
    [
      'steps longer than the whole',
      `timeLimits: {totalSeconds: 60}\n${PLAN}`,
      '1: timeLimits.totalSeconds: the steps take 60 s at least',
    ],
    ['a salt that is a number', `salt: 7\n${PLAN}`, '1: salt: expected string, got 7'],
    ['a key from nowhere', `key: {from: nowhere}\n${PLAN}`, '1: key'],
    ['no guards', PLAN.replace(/guards:[\s\S]*/, ''), 'guards: is required'],
    ['text that is no document', 'model: [', 'rollout.yaml:1'],
    ['a key twice', `alpha: 0.1\nalpha: 0.2\n${PLAN}`, 'rollout.yaml:2: Map keys must be unique'],
  ])('is refused with the line: %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message.startsWith('rollout') ? message : message);
    try {
      parse(text);
    } catch (thrown) {
      expect((thrown as { reason?: string }).reason).toBe('MALFORMED_REQUEST');
    }
  });
});
