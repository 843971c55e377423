import type { MoveTable } from './state-machine.js';

/**
 * Life of a rollout (architecture: state machines). `stable`: the baseline answers all, and is measured. `shadowing`: the
 * candidate gets copies only. `progressing`: it answers a share. `paused`: the share stays, for a reason that is kept.
 */
export type RolloutState =
  | 'stable'
  | 'shadowing'
  | 'progressing'
  | 'paused'
  | 'promoting'
  | 'promoted'
  | 'rolling-back'
  | 'rolled-back';

export const ROLLOUT_MOVES = {
  stable: ['shadowing', 'progressing', 'paused', 'rolling-back'],
  shadowing: ['progressing', 'paused', 'promoting', 'rolling-back'],
  progressing: ['paused', 'promoting', 'rolling-back'],
  paused: ['stable', 'shadowing', 'progressing', 'promoting', 'rolling-back'],
  promoting: ['promoted', 'rolling-back'],
  promoted: [],
  'rolling-back': ['rolled-back'],
  'rolled-back': [],
} as const satisfies MoveTable<RolloutState>;

/** Whether nothing follows it. */
export function rolloutEnded(state: RolloutState): boolean {
  return ROLLOUT_MOVES[state].length === 0;
}
