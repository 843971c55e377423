import type { RolloutState } from '../../core/index.js';
import { type RolloutPlan, type RolloutStep, requiredGuards } from './plan.js';
import type { Findings, MoveCode, Standing } from './standing.js';

/** The next move, or what is waited for: never nothing at all. */
export type Decision =
  | { readonly kind: 'stay'; readonly waitingFor: readonly string[] }
  | {
      readonly kind: 'move';
      readonly to: RolloutState;
      /** Step that it stands in afterwards. */
      readonly step: number;
      readonly code: MoveCode;
      readonly why: string;
    };

/**
 * The next move of a rollout. Pure, and total: it looks at nothing else. Harm comes first, whatever the state; then what
 * operators ask; then progress, which a pause stops. `promoting` is reached where every guard passed, or by force alone.
 */
export function decide(plan: RolloutPlan, standing: Standing, findings: Findings, nowMs: number): Decision {
  const { state } = standing;
  if (state === 'promoted' || state === 'rolled-back') return stay('nothing: it has ended');
  if (state === 'rolling-back') return settle(plan, standing, nowMs);
  const harm = harmOf(standing, findings);
  if (harm !== undefined) return move('rolling-back', standing.step, harm.code, harm.why);
  if (state === 'promoting') {
    if (nowMs > standing.sinceMs) return move('promoted', standing.step, 'in-force', 'the candidate serves');
    return stay('the new table to be in force');
  }
  const promoted = askedPromotion(standing, findings);
  if (promoted !== undefined) return promoted;
  if (state === 'paused') return leavePause(plan, standing, findings, nowMs);
  const halted = haltOf(standing, findings);
  if (halted !== undefined) return pause(standing, halted.code, halted.why);
  return progress(plan, standing, findings, nowMs);
}

/** Why it must not go on with the candidate, or undefined. */
function harmOf({ wishes }: Standing, findings: Findings): { code: MoveCode; why: string } | undefined {
  const { arms, gates, guards, hardLimit } = findings;
  if (wishes.abort !== undefined) return { code: 'aborted', why: `aborted by ${wishes.abort.by}` };
  if (hardLimit !== undefined) return { code: 'hard-limit', why: hardLimit };
  const failed = guards.find(({ verdict }) => verdict === 'fail');
  if (failed !== undefined) return { code: 'guard-failed', why: `guard '${failed.name}': ${failed.explanation}` };
  if (gates?.passed === false) return { code: 'gate-failed', why: gates.why };
  if (arms.candidate === 'gone') return { code: 'candidate-gone', why: 'the candidate is not served any more' };
  if (arms.candidate === 'impaired')
    return { code: 'hard-limit', why: 'every instance of the candidate is quarantined after repeated failures' };
  return undefined;
}

/** Why it may not go on for now, or undefined. */
function haltOf({ state, wishes }: Standing, findings: Findings): { code: MoveCode; why: string } | undefined {
  if (wishes.pause !== undefined) return { code: 'paused-by-operator', why: `paused by ${wishes.pause.by}` };
  if (findings.reloaded)
    return { code: 'reloaded', why: 'the candidate was loaded anew: what is known is of what ran before' };
  if (findings.sampleRatio !== undefined) return { code: 'sample-ratio', why: findings.sampleRatio };
  // Before the first step nobody gets anything of the candidate: it just waits. So it does for versions on their way.
  const { baseline } = findings.arms;
  if (state === 'stable' || baseline === 'ready' || baseline === 'loading') return undefined;
  return { code: 'version-not-ready', why: notReady(findings) ?? '' };
}

function notReady({ arms }: Findings): string | undefined {
  if (arms.candidate !== 'ready') return 'the candidate is not ready';
  return arms.baseline === 'ready' ? undefined : `the baseline is ${arms.baseline === 'gone' ? 'gone' : 'not ready'}`;
}

function askedPromotion({ wishes, state, step, pause }: Standing, findings: Findings): Decision | undefined {
  const { promote } = wishes;
  if (promote === undefined || state === 'stable' || pause?.from === 'stable') return undefined;
  if (findings.arms.candidate !== 'ready' || !(promote.force || findings.guards.every(({ passed }) => passed)))
    return undefined;
  const unproven = findings.guards.filter(({ passed }) => !passed).map(({ name }) => name);
  const but = unproven.length === 0 ? '' : `, by force: without a pass of ${unproven.join(', ')}`;
  return move('promoting', step, 'promoted-by-operator', `promoted by ${promote.by}${but}`);
}

function leavePause(plan: RolloutPlan, standing: Standing, findings: Findings, nowMs: number): Decision {
  const { pause: why, step, wishes } = standing;
  if (why === undefined) throw new Error('a paused rollout without a reason');
  if (why.code === 'approval-needed') {
    if (wishes.approve === undefined)
      return timeLimit(plan, standing, nowMs, ['total']) ?? stay(`${why.why} (penstock rollout approve)`);
    return enter(plan, findings, step + 1, 'approved', `approved by ${wishes.approve.by}`);
  }
  if (why.code === 'version-not-ready') {
    const still = notReady(findings);
    if (still === undefined) return move(why.from, step, 'version-ready', 'both versions are ready again');
    return timeLimit(plan, standing, nowMs, ['total']) ?? stay(still);
  }
  if (why.code === 'held') return stay(`${why.why} (penstock rollout promote)`);
  if (wishes.resume !== undefined) return move(why.from, step, 'resumed', `resumed by ${wishes.resume.by}`);
  return stay(`${why.why} (penstock rollout resume)`);
}

function progress(plan: RolloutPlan, standing: Standing, findings: Findings, nowMs: number): Decision {
  const missing = standing.state === 'stable' ? beforeSteps(findings) : inStep(plan, standing, findings, nowMs);
  if (missing.length > 0) return timeLimit(plan, standing, nowMs, ['step', 'total']) ?? stay(...missing);
  if (standing.state === 'stable')
    return enter(plan, findings, standing.step, 'begun', 'the baseline is measured, the candidate is ready');
  return enter(plan, findings, standing.step + 1, 'step-done', `step ${standing.step + 1} is done`);
}

function beforeSteps(findings: Findings): string[] {
  const missing = [];
  const arms = notReady(findings);
  if (arms !== undefined) missing.push(arms);
  if (findings.gates === undefined) missing.push('the gates before traffic');
  if (!findings.calibrated) missing.push('enough executions of the baseline to measure it');
  return missing;
}

/** What the present step still needs. */
function inStep(
  plan: RolloutPlan,
  { step: index, stepSinceMs }: Standing,
  findings: Findings,
  nowMs: number,
): string[] {
  const step = plan.steps[index];
  if (step === undefined || step.kind === 'approval') throw new Error(`no traffic in step ${index}`);
  const missing = [];
  const arms = notReady(findings);
  if (arms !== undefined) missing.push(arms);
  const [seen, least, what] = countOf(step, findings);
  if (seen < least) missing.push(`${what}: ${seen} of ${least}`);
  const elapsed = (nowMs - stepSinceMs) / 1000;
  if (elapsed < step.minSeconds) missing.push(`time: ${Math.floor(elapsed)} of ${step.minSeconds} s`);
  const passed = new Set(findings.guards.filter((guard) => guard.passed).map(({ name }) => name));
  for (const name of requiredGuards(plan, index)) if (!passed.has(name)) missing.push(`a proof of guard '${name}'`);
  return missing;
}

function countOf(step: Exclude<RolloutStep, { kind: 'approval' }>, findings: Findings): [number, number, string] {
  if (step.kind === 'shadow') return [findings.compared, step.requests, 'compared copies'];
  return [findings.requests, step.minRequests, 'requests of the candidate'];
}

/** The beginning of step `index`, or of the end where there is none. */
function enter(plan: RolloutPlan, findings: Findings, index: number, code: MoveCode, why: string): Decision {
  const step = plan.steps[index];
  if (step?.kind === 'approval')
    return move('paused', index, 'approval-needed', `an approval of ${step.who} is needed`);
  if (step !== undefined) return move(step.kind === 'shadow' ? 'shadowing' : 'progressing', index, code, why);
  const last = plan.steps.length - 1;
  const unproven = findings.guards.filter(({ passed }) => !passed);
  if (unproven.length > 0) return stay(...unproven.map(({ name }) => `a proof of guard '${name}'`));
  if (plan.after === 'hold')
    return move('paused', last, 'held', 'all guards passed; the plan leaves the end to a person');
  return move('promoting', last, 'all-passed', 'all steps are done and all guards passed');
}

/** The plan's answer where a time limit is over; undefined where none is. */
function timeLimit(
  plan: RolloutPlan,
  standing: Standing,
  nowMs: number,
  which: readonly ('step' | 'total')[],
): Decision | undefined {
  const { stepSeconds, totalSeconds } = plan.timeLimits;
  const over = (fromMs: number, seconds: number) => nowMs - fromMs >= seconds * 1000;
  const why =
    which.includes('step') && over(standing.stepLimitFromMs, stepSeconds)
      ? `no proof within the ${stepSeconds} s of a step`
      : over(standing.totalLimitFromMs, totalSeconds)
        ? `no proof within the ${totalSeconds} s of the rollout`
        : undefined;
  if (why === undefined) return undefined;
  if (plan.inconclusive === 'rollback') return move('rolling-back', standing.step, 'inconclusive', why);
  return standing.state === 'paused' ? undefined : pause(standing, 'inconclusive', why);
}

function settle(plan: RolloutPlan, { sinceMs, step }: Standing, nowMs: number): Decision {
  const keepMs = (plan.keepShadowing?.seconds ?? 0) * 1000;
  if (nowMs <= sinceMs || nowMs - sinceMs < keepMs) return stay('the end of shadowing for diagnosis');
  return move('rolled-back', step, 'settled', 'the baseline answers all');
}

function pause({ step }: Standing, code: MoveCode, why: string): Decision {
  return move('paused', step, code, why);
}

function move(to: RolloutState, step: number, code: MoveCode, why: string): Decision {
  return { kind: 'move', to, step, code, why };
}

function stay(...waitingFor: string[]): Decision {
  return { kind: 'stay', waitingFor };
}
