import type { ModelVersionId } from './model.js';

/** The line of a version as it stands, and what a request that came now had to expect: what to scale by. */
export interface QueueOutlook {
  readonly id: ModelVersionId;
  /** Executions that can run at once, and those that run. */
  readonly slots: number;
  readonly busySlots: number;
  /** How long the request that is served next has waited; 0 where nothing waits. */
  readonly waitedMs: number;
  /**
   * In how long a request of one row that came now would be answered, by the learned time of executions, else by how fast
   * the line moved; undefined while neither is known.
   */
  readonly answerInMs: number | undefined;
  /** Rows a second that come, smoothed; 0 while unknown. */
  readonly arrivalsPerSecond: number;
}
