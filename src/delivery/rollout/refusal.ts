import { ROLLOUT_MOVES, type RolloutCommand, rolloutEnded } from '../../core/index.js';
import type { RolloutPlan } from './plan.js';
import type { Findings, MoveCode, Standing } from './standing.js';

/** Pauses that end by `resume`; the others have ends of their own. */
const RESUMABLE: readonly MoveCode[] = ['paused-by-operator', 'reloaded', 'sample-ratio', 'inconclusive'];

/** Approvals that name nobody in particular. */
const ANYONE = 'anyone';

/** Why a command cannot be done as the rollout stands, in words for who asked; undefined: it can. Pure. */
export function refusalOf(
  plan: RolloutPlan,
  { state, step, pause }: Standing,
  findings: Findings,
  command: RolloutCommand,
  by: string,
): string | undefined {
  if (rolloutEnded(state)) return `it has ended: ${state}`;
  if (state === 'rolling-back') return 'it is being rolled back';
  switch (command.kind) {
    case 'abort':
      return undefined;
    case 'pause':
      if (state === 'paused') return `it is paused already: ${pause?.why}`;
      return (ROLLOUT_MOVES[state] as readonly string[]).includes('paused') ? undefined : `it is ${state}`;
    case 'resume':
      if (pause === undefined) return `it is not paused but ${state}`;
      if (RESUMABLE.includes(pause.code)) return undefined;
      if (pause.code === 'approval-needed') return `${pause.why}: approve it`;
      if (pause.code === 'held') return `${pause.why}: promote or abort it`;
      return `${pause.why}: it goes on by itself`;
    case 'approve': {
      const waiting = plan.steps[step];
      if (pause?.code !== 'approval-needed' || waiting?.kind !== 'approval') return 'no approval is waited for';
      return waiting.who === ANYONE || waiting.who === by ? undefined : `${waiting.who} has to approve it, not ${by}`;
    }
    case 'promote':
      return promotionRefusal(state, pause?.from, findings, command.force);
  }
}

function promotionRefusal(
  state: Standing['state'],
  pausedFrom: Standing['state'] | undefined,
  { arms, guards }: Findings,
  force: boolean,
): string | undefined {
  if (state === 'promoting') return 'it is being promoted';
  if (state === 'stable' || pausedFrom === 'stable') return 'the candidate has had no traffic yet';
  if (arms.candidate !== 'ready') return 'the candidate is not ready';
  const unproven = guards.filter(({ passed }) => !passed).map(({ name }) => name);
  if (force || unproven.length === 0) return undefined;
  return `not proven yet: ${unproven.join(', ')}; --force promotes without`;
}
