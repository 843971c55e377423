import type { SchedulerReport } from '../../src/core/index.js';

/** The report of a scheduler that has done nothing yet. */
export const SCHEDULER: SchedulerReport = {
  policy: 'knobs',
  sloMs: 0,
  waiting: 0,
  running: 0,
  slots: 1,
  freeSlots: 1,
  idleBecause: undefined,
  arrivalsPerSecond: 0,
  paddingShare: 0,
  curve: undefined,
  tenants: [],
  criticality: [],
  recent: [],
};
