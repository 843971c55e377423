import type { MoveTable } from './state-machine.js';

/** Life of an instance's lane or of a worker. Leaving `busy` by failure or cancellation settles every request it held. */
export type LaneState =
  | 'starting'
  | 'idle'
  | 'busy'
  | 'draining'
  | 'stopped'
  | 'failed'
  | 'backing-off'
  | 'quarantined';

export const LANE_MOVES = {
  starting: ['idle', 'failed', 'draining'],
  idle: ['busy', 'draining', 'failed'],
  busy: ['idle', 'draining', 'failed'],
  draining: ['stopped', 'failed'],
  stopped: [],
  failed: ['backing-off', 'quarantined', 'stopped'],
  'backing-off': ['starting', 'stopped'],
  quarantined: ['starting', 'stopped'],
} as const satisfies MoveTable<LaneState>;
