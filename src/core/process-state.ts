import type { MoveTable } from './state-machine.js';

/** Life of the process. Ready = `serving` (and, with strict readiness, every declared version ready). */
export type ProcessState = 'starting' | 'serving' | 'draining' | 'stopped';

export const PROCESS_MOVES = {
  starting: ['serving', 'draining', 'stopped'],
  serving: ['draining'],
  draining: ['stopped'],
  stopped: [],
} as const satisfies MoveTable<ProcessState>;
