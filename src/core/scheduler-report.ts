import type { CriticalityName } from './criticality.js';
import type { SequencesReport } from './sequence.js';

/** One decision of a version's scheduler. */
export interface DecisionRecord {
  /** Milliseconds before the report. */
  readonly agoMs: number;
  readonly kind: 'run' | 'wait' | 'drop' | 'refuse';
  readonly why: string;
  /** Rows started, dropped, refused or waiting. */
  readonly rows: number;
  /** Requests that waited then. */
  readonly waiting: number;
  readonly freeSlots: number;
  /** `wait`: for how long at most. */
  readonly waitMs: number | undefined;
}

/** What is known of the time of executions, at the sizes 1, 2, 4 ... and the most. */
export interface CurveReport {
  readonly rows: readonly number[];
  readonly meanMs: readonly number[];
  readonly upperMs: readonly number[];
  /** The most rows of one execution that pay. */
  readonly payingRows: number;
}

/** A tenant at a queue. */
export interface TenantReport {
  readonly name: string;
  readonly weight: number;
  /** Part of the device time that is its own while those that wait now wait; 0 where nothing of it waits. */
  readonly share: number;
  readonly waiting: number;
  /** Requests since it is known here: started, and refused for the sake of others or for want of room or time. */
  readonly started: number;
  readonly refused: number;
  readonly deviceMs: number;
}

/** Requests of one criticality since the version serves. */
export interface CriticalityReport {
  readonly level: CriticalityName;
  readonly started: number;
  readonly refused: number;
}

/** The state of a version's scheduler, for people. */
export interface SchedulerReport {
  /** `deadlines`: those who wait are planned for by deadlines; `knobs`: by Triton's settings. */
  readonly policy: 'deadlines' | 'knobs';
  readonly sloMs: number;
  readonly waiting: number;
  readonly running: number;
  readonly slots: number;
  readonly freeSlots: number;
  /** Why an instance is free beside a waiting request; undefined where that is not so. */
  readonly idleBecause: string | undefined;
  readonly arrivalsPerSecond: number;
  /** Share of all that was executed so far that was padding, 0 to 1. */
  readonly paddingShare: number;
  /** Undefined while nothing is known of requests like the last. */
  readonly curve: CurveReport | undefined;
  /** Those with most requests waiting first, then those with most device time; at most 32. */
  readonly tenants: readonly TenantReport[];
  /** The most critical first; levels that nobody named are left out. */
  readonly criticality: readonly CriticalityReport[];
  /** The newest first, at most 64; waits that only repeat the one before are left out. */
  readonly recent: readonly DecisionRecord[];
  /** Absent: its requests are each their own. */
  readonly sequences?: SequencesReport;
}

export interface SchedulerSource {
  /** Of a version that serves; undefined where it does not. */
  scheduler(model: string, version: number): SchedulerReport | undefined;
}
