/** What a timeline of a request has: when it was where, and its tensors (Triton's trace levels). */
export const TIMELINE_LEVELS = ['TIMESTAMPS', 'TENSORS'] as const;
export type TimelineLevel = (typeof TIMELINE_LEVELS)[number];

/** Settings of Triton's tracing, in force for all models or for one. */
export interface TraceSettings {
  /** Empty: off. */
  readonly level: readonly TimelineLevel[];
  /** One of so many requests. */
  readonly rate: number;
  /** So many traces are left; -1 = without an end. */
  readonly count: number;
  /** A file of its own for each so many; 0 = one file for all. */
  readonly logFrequency: number;
  /** Empty: none is configured, and nothing can be traced. */
  readonly file: string;
}

/** New values; `null` = as it is where nothing is said of it here. */
export interface TraceChanges {
  readonly level?: readonly TimelineLevel[] | null;
  readonly rate?: number | null;
  readonly count?: number | null;
  readonly logFrequency?: number | null;
}

/** The settings of Triton's tracing at run time. */
export interface TraceControl {
  /** In force for a model, or for all that have none of their own (undefined). */
  settings(model: string | undefined): TraceSettings;
  /** In force from now on, on every thread soon after. Throws MALFORMED_REQUEST where they cannot be. */
  change(model: string | undefined, changes: TraceChanges): void;
}
