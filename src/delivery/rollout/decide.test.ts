import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rolloutPlan } from '../../../test/support/rollout-plans.js';
import { ROLLOUT_MOVES, type RolloutState, rolloutEnded } from '../../core/index.js';
import { type Decision, decide } from './decide.js';
import { type RolloutPlan, requiredGuards } from './plan.js';
import { refusalOf } from './refusal.js';
import type { ArmState, Findings, Standing } from './standing.js';

const START_MS = 1_700_000_000_000;

const STANDING: Standing = {
  state: 'stable',
  step: 0,
  stepSinceMs: START_MS,
  sinceMs: START_MS,
  stepLimitFromMs: START_MS,
  totalLimitFromMs: START_MS,
  pause: undefined,
  wishes: {},
};

const FINDINGS: Findings = {
  arms: { candidate: 'ready', baseline: 'ready' },
  reloaded: false,
  gates: { passed: true, why: '' },
  calibrated: true,
  guards: [{ name: 'error-rate', verdict: 'inconclusive', passed: false, explanation: '' }],
  hardLimit: undefined,
  sampleRatio: undefined,
  compared: 0,
  requests: 0,
};

const PASSED = [{ name: 'error-rate', verdict: 'pass' as const, passed: true, explanation: '' }];
const FAILED = [{ name: 'error-rate', verdict: 'fail' as const, passed: false, explanation: 'proven worse' }];

interface Case {
  readonly when: string;
  readonly plan?: Partial<RolloutPlan>;
  readonly standing?: Partial<Standing>;
  readonly findings?: Partial<Findings>;
  readonly afterMs?: number;
  readonly next: readonly [to: RolloutState | 'stays', word: string];
}

const CANARY: Partial<Standing> = { state: 'progressing', step: 1 };
const LAST: Partial<Standing> = { state: 'progressing', step: 2 };
const paused = (code: NonNullable<Standing['pause']>['code'], from: RolloutState = 'progressing') => ({
  state: 'paused' as const,
  step: 1,
  pause: { code, why: 'why', from },
});
const APPROVAL: Partial<RolloutPlan> = {
  steps: [...rolloutPlan().steps.slice(0, 2), { kind: 'approval', who: 'ann' }, rolloutPlan().steps[2]!],
};

const CASES: readonly Case[] = [
  { when: 'all is ready before the first step', next: ['shadowing', 'begun'] },
  { when: 'the first step is a canary', plan: { steps: rolloutPlan().steps.slice(1) }, next: ['progressing', 'begun'] },
  { when: 'the gates are not known', findings: { gates: undefined }, next: ['stays', 'gates'] },
  {
    when: 'the gates refuse',
    findings: { gates: { passed: false, why: 'golden set' } },
    next: ['rolling-back', 'gate-failed'],
  },
  { when: 'the baseline is not measured', findings: { calibrated: false }, next: ['stays', 'measure'] },
  {
    when: 'the candidate is still loading',
    findings: { arms: { candidate: 'loading', baseline: 'ready' } },
    next: ['stays', 'candidate is not ready'],
  },
  {
    when: 'too few copies are compared',
    standing: { state: 'shadowing' },
    findings: { compared: 99 },
    next: ['stays', '99 of 100'],
  },
  {
    when: 'enough copies are compared',
    standing: { state: 'shadowing' },
    findings: { compared: 100 },
    next: ['progressing', 'step-done'],
  },
  {
    when: 'requests are missing',
    standing: CANARY,
    findings: { requests: 99 },
    afterMs: 5000,
    next: ['stays', '99 of 100'],
  },
  {
    when: 'time is missing',
    standing: CANARY,
    findings: { requests: 100 },
    afterMs: 4999,
    next: ['stays', '4 of 5 s'],
  },
  {
    when: 'time and requests are there',
    standing: CANARY,
    findings: { requests: 100 },
    afterMs: 5000,
    next: ['progressing', 'step-done'],
  },
  {
    when: 'the last step lacks a proof',
    standing: LAST,
    findings: { requests: 100 },
    afterMs: 5000,
    next: ['stays', "proof of guard 'error-rate'"],
  },
  {
    when: 'the last step is done and proven',
    standing: LAST,
    findings: { requests: 100, guards: PASSED },
    afterMs: 5000,
    next: ['promoting', 'all-passed'],
  },
  {
    when: 'a person has the last word',
    plan: { after: 'hold' },
    standing: LAST,
    findings: { requests: 100, guards: PASSED },
    afterMs: 5000,
    next: ['paused', 'held'],
  },
  {
    when: 'the plan demands a proof earlier',
    plan: {
      steps: rolloutPlan().steps.map((step) => (step.kind === 'canary' ? { ...step, requires: 'all' as const } : step)),
    },
    standing: CANARY,
    findings: { requests: 100 },
    afterMs: 5000,
    next: ['stays', "proof of guard 'error-rate'"],
  },
  {
    when: 'a step needs an approval',
    plan: APPROVAL,
    standing: CANARY,
    findings: { requests: 100 },
    afterMs: 5000,
    next: ['paused', 'approval-needed'],
  },
  {
    when: 'nobody approved yet',
    plan: APPROVAL,
    standing: { ...paused('approval-needed'), step: 2 },
    next: ['stays', 'approve'],
  },
  {
    when: 'it is approved',
    plan: APPROVAL,
    standing: { ...paused('approval-needed'), step: 2, wishes: { approve: { by: 'ann' } } },
    next: ['progressing', 'approved'],
  },
  { when: 'a guard fails', standing: CANARY, findings: { guards: FAILED }, next: ['rolling-back', 'guard-failed'] },
  {
    when: 'a guard fails during a pause',
    standing: paused('paused-by-operator'),
    findings: { guards: FAILED },
    next: ['rolling-back', 'guard-failed'],
  },
  {
    when: 'a hard limit trips',
    standing: { state: 'promoting' },
    findings: { hardLimit: 'NaN' },
    next: ['rolling-back', 'hard-limit'],
  },
  {
    when: 'the candidate goes',
    standing: CANARY,
    findings: { arms: { candidate: 'gone', baseline: 'ready' } },
    next: ['rolling-back', 'candidate-gone'],
  },
  {
    when: 'the candidate is quarantined',
    standing: CANARY,
    findings: { arms: { candidate: 'impaired', baseline: 'ready' } },
    next: ['rolling-back', 'hard-limit'],
  },
  {
    when: 'the baseline is loaded again after a restart',
    standing: CANARY,
    findings: { arms: { candidate: 'ready', baseline: 'loading' }, requests: 100 },
    afterMs: 5000,
    next: ['stays', 'the baseline is not ready'],
  },
  {
    when: 'the baseline goes',
    standing: CANARY,
    findings: { arms: { candidate: 'ready', baseline: 'gone' } },
    next: ['paused', 'version-not-ready'],
  },
  { when: 'both are ready again', standing: paused('version-not-ready'), next: ['progressing', 'version-ready'] },
  { when: 'the candidate was reloaded', standing: CANARY, findings: { reloaded: true }, next: ['paused', 'reloaded'] },
  {
    when: 'the split is not what was asked for',
    standing: CANARY,
    findings: { sampleRatio: 'lost' },
    next: ['paused', 'sample-ratio'],
  },
  {
    when: 'an operator pauses',
    standing: { ...CANARY, wishes: { pause: { by: 'bob' } } },
    next: ['paused', 'paused-by-operator'],
  },
  {
    when: 'paused with all done',
    standing: { ...paused('paused-by-operator'), step: 2 },
    findings: { requests: 1000, guards: PASSED },
    afterMs: 9000,
    next: ['stays', 'resume'],
  },
  {
    when: 'an operator resumes',
    standing: { ...paused('paused-by-operator'), wishes: { resume: { by: 'bob' } } },
    next: ['progressing', 'resumed'],
  },
  {
    when: 'an operator promotes with a proof',
    standing: { ...CANARY, wishes: { promote: { by: 'bob', force: false } } },
    findings: { guards: PASSED },
    next: ['promoting', 'promoted-by-operator'],
  },
  {
    when: 'an operator promotes without a proof',
    standing: { ...CANARY, wishes: { promote: { by: 'bob', force: false } } },
    next: ['stays', 'requests'],
  },
  {
    when: 'an operator forces it',
    standing: { ...CANARY, wishes: { promote: { by: 'bob', force: true } } },
    next: ['promoting', 'promoted-by-operator'],
  },
  {
    when: 'an operator aborts',
    standing: { ...CANARY, wishes: { abort: { by: 'bob' } } },
    next: ['rolling-back', 'aborted'],
  },
  { when: 'a step takes too long', standing: CANARY, afterMs: 600_000, next: ['rolling-back', 'inconclusive'] },
  {
    when: 'a step takes too long and the plan holds',
    plan: { inconclusive: 'hold' },
    standing: CANARY,
    afterMs: 600_000,
    next: ['paused', 'inconclusive'],
  },
  {
    when: 'an approval takes too long',
    plan: APPROVAL,
    standing: { ...paused('approval-needed'), step: 2 },
    afterMs: 3_600_000,
    next: ['rolling-back', 'inconclusive'],
  },
  {
    when: 'the new table is in force',
    standing: { state: 'promoting', step: 2 },
    afterMs: 1,
    next: ['promoted', 'in-force'],
  },
  { when: 'it has just been rolled back', standing: { state: 'rolling-back' }, next: ['stays', 'diagnosis'] },
  { when: 'the way back is done', standing: { state: 'rolling-back' }, afterMs: 1, next: ['rolled-back', 'settled'] },
  {
    when: 'copies go on for diagnosis',
    plan: { keepShadowing: { percent: 5, seconds: 60 } },
    standing: { state: 'rolling-back' },
    afterMs: 59_999,
    next: ['stays', 'diagnosis'],
  },
];

describe('decide', () => {
  it.each(CASES)('$when: $next', ({ plan, standing, findings, afterMs = 0, next: [to, word] }) => {
    const decision = decide(
      rolloutPlan(plan),
      { ...STANDING, ...standing },
      { ...FINDINGS, ...findings },
      START_MS + afterMs,
    );
    if (to === 'stays') expect(decision.kind === 'stay' && decision.waitingFor.join('; ')).toContain(word);
    else expect(decision).toMatchObject({ kind: 'move', to, code: word });
  });
});

const ARMS: readonly ArmState[] = ['ready', 'ready', 'ready', 'ready', 'loading', 'impaired', 'gone'];
const VERDICTS = ['inconclusive', 'inconclusive', 'inconclusive', 'pass', 'pass', 'fail'] as const;

/** What happens between two looks at a rollout. */
const happening = fc.record({
  waitMs: fc.constantFrom(0, 1, 250, 5000, 600_000),
  candidate: fc.constantFrom(...ARMS),
  baseline: fc.constantFrom(...ARMS),
  reloaded: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  sampleRatio: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  hardLimit: fc.integer({ min: 0, max: 39 }).map((n) => n === 0),
  gates: fc.constantFrom('unknown', 'passed', 'passed', 'passed', 'failed'),
  verdicts: fc.tuple(fc.constantFrom(...VERDICTS), fc.constantFrom(...VERDICTS)),
  seen: fc.constantFrom(0, 50, 200),
  command: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    'pause',
    'resume',
    'approve',
    'promote',
    'force',
    'abort',
  ),
});
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  fc.record({
    kind: fc.constant('canary' as const),
    canaryPercent: fc.constant(0),
    shadowPercent: fc.constantFrom(0, 10),
    minSeconds: fc.constantFrom(0, 5),
    minRequests: fc.constantFrom(0, 100),
    requires: fc.constantFrom(undefined, 'all' as const, 'none' as const),
  }),
  fc.record({ kind: fc.constant('approval' as const), who: fc.constantFrom('anyone', 'ann') }),
);

const plans = fc
  .record({
    shadows: fc.integer({ min: 0, max: 2 }),
    steps: fc.array(step, { minLength: 1, maxLength: 4 }),
    whole: fc.boolean(),
    inconclusive: fc.constantFrom('hold' as const, 'rollback' as const),
    after: fc.constantFrom('promote' as const, 'hold' as const),
    keep: fc.boolean(),
  })
  .map(({ shadows, steps, whole, inconclusive, after, keep }) => {
    const shadow = { kind: 'shadow' as const, shadowPercent: 10, requests: 100, minSeconds: 1 };
    const rising = steps.map((one, i) => (one.kind === 'canary' ? { ...one, canaryPercent: (i + 1) * 10 } : one));
    const first = rising.some(({ kind }) => kind === 'canary') ? [] : [rolloutPlan().steps[1]!];
    const last = whole ? [{ ...rolloutPlan().steps[2]!, kind: 'canary' as const, canaryPercent: 100 }] : [];
    const [guard] = rolloutPlan().guards;
    return rolloutPlan({
      steps: [...Array.from({ length: shadows }, () => shadow), ...first, ...rising, ...last] as RolloutPlan['steps'],
      guards: [guard!, { ...guard!, name: 'second' }],
      inconclusive,
      after,
      ...(keep ? { keepShadowing: { percent: 1, seconds: 5 } } : {}),
    });
  });

interface Life {
  readonly decisions: readonly Decision[];
  readonly end: RolloutState;
}

/** Lives through a schedule, and checks at every look what must always hold. */
function live(plan: RolloutPlan, schedule: readonly Happening[]): Life {
  let standing: Standing = STANDING;
  let nowMs = START_MS;
  const verdicts: ('pass' | 'fail' | 'inconclusive')[] = ['inconclusive', 'inconclusive'];
  const passed = [false, false];
  let [reloaded, sampleRatio, hardLimit, gates, seen] = [false, false, false, 'unknown', 0];
  let forced = false;
  const decisions: Decision[] = [];
  const leftUnproven: number[] = [];
  for (const happens of schedule) {
    nowMs += happens.waitMs;
    if (gates === 'unknown') gates = happens.gates;
    seen += happens.seen;
    const traffic = standing.state !== 'stable' && standing.pause?.from !== 'stable';
    if (traffic)
      happens.verdicts.forEach((verdict, i) => {
        if (verdicts[i] === 'inconclusive') verdicts[i] = verdict;
        passed[i] ||= verdicts[i] === 'pass';
      });
    reloaded ||= happens.reloaded;
    sampleRatio ||= happens.sampleRatio && traffic;
    hardLimit ||= happens.hardLimit && traffic;
    const findings = (): Findings => ({
      arms: { candidate: happens.candidate, baseline: happens.baseline },
      reloaded,
      gates: gates === 'unknown' ? undefined : { passed: gates === 'passed', why: 'golden set' },
      calibrated: gates !== 'unknown',
      guards: plan.guards.map(({ name }, i) => ({ name, verdict: verdicts[i]!, passed: passed[i]!, explanation: '' })),
      hardLimit: hardLimit ? 'burst' : undefined,
      sampleRatio: sampleRatio ? 'lost' : undefined,
      compared: seen,
      requests: seen,
    });
    const { command } = happens;
    if (command !== undefined) {
      const asked =
        command === 'promote' || command === 'force'
          ? { kind: 'promote' as const, force: command === 'force' }
          : { kind: command };
      if (refusalOf(plan, standing, findings(), asked, 'ann') === undefined) {
        const wish =
          asked.kind === 'promote' ? { promote: { by: 'ann', force: asked.force } } : { [command]: { by: 'ann' } };
        standing = { ...standing, wishes: { ...standing.wishes, ...wish } };
      }
    }
    for (let moves = 0; ; moves++) {
      if (moves > plan.steps.length + 8) throw new Error('it moves for ever');
      const before = standing;
      const decision = decide(plan, standing, findings(), nowMs);
      decisions.push(decision);
      const harm =
        before.wishes.abort !== undefined ||
        hardLimit ||
        verdicts.includes('fail') ||
        gates === 'failed' ||
        happens.candidate === 'gone' ||
        happens.candidate === 'impaired';
      const open = !rolloutEnded(before.state) && before.state !== 'rolling-back';
      if (harm && open) expect(decision).toMatchObject({ kind: 'move', to: 'rolling-back' });
      if (decision.kind === 'stay') {
        expect(decision.waitingFor.join('')).not.toBe('');
        break;
      }
      const { to } = decision;
      if (to !== before.state || decision.step === before.step) expect(ROLLOUT_MOVES[before.state]).toContain(to);
      if (decision.code === 'promoted-by-operator') forced = before.wishes.promote?.force === true;
      if (to === 'promoting' && !forced) {
        expect(passed).toEqual([true, true]);
        expect(leftUnproven).toEqual([]);
      }
      if (decision.code === 'step-done') {
        for (const name of requiredGuards(plan, before.step))
          if (!passed[plan.guards.findIndex((one) => one.name === name)]) leftUnproven.push(before.step);
        if (before.state === 'paused') throw new Error('a pause did not stop progress');
      }
      const next = decision.step !== before.step || (before.state === 'stable' && to !== 'paused');
      standing = {
        state: to,
        step: decision.step,
        stepSinceMs: next ? nowMs : before.stepSinceMs,
        sinceMs: nowMs,
        stepLimitFromMs: next || decision.code === 'resumed' ? nowMs : before.stepLimitFromMs,
        totalLimitFromMs: decision.code === 'resumed' ? nowMs : before.totalLimitFromMs,
        pause: to === 'paused' ? { code: decision.code, why: decision.why, from: before.state } : undefined,
        wishes: {},
      };
      if (decision.code === 'resumed') [reloaded, sampleRatio] = [false, false];
      if (next) {
        seen = 0;
        verdicts.forEach((verdict, i) => {
          if (verdict === 'pass') verdicts[i] = 'inconclusive';
        });
      }
    }
  }
  return { decisions, end: standing.state };
}

describe('a rollout through any schedule', () => {
  it('promotes proven candidates only, rolls back on any harm, makes no progress in a pause, and always says what it waits for', () => {
    const ends = new Map<RolloutState, number>();
    fc.assert(
      fc.property(plans, fc.array(happening, { minLength: 1, maxLength: 40 }), (plan, schedule) => {
        const { end } = live(plan, schedule);
        ends.set(end, (ends.get(end) ?? 0) + 1);
      }),
      { numRuns: 5000, seed: 6 },
    );
    // The schedules reach both ends, or they would prove nothing.
    expect(ends.get('promoted') ?? 0).toBeGreaterThan(20);
    expect(ends.get('rolled-back') ?? 0).toBeGreaterThan(500);
  });
});
