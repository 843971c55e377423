import type { Reason } from './errors.js';

/** Who asked for what, and what became of it. */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Name of the token; `this machine` where a call needed none, `nobody` without one, `unknown token` for a wrong one. */
  readonly who: string;
  /** Address of the caller's end of the connection; empty = not known. */
  readonly from: string;
  /** As the table of rights names it. */
  readonly call: string;
  /** What it was about: a model, a flag, a rollout; empty = nothing in particular. */
  readonly target: string;
  /** `begun`: it was allowed and has not ended, or the process did not live to see its end. */
  readonly outcome: AuditOutcome;
  /** Refused calls since the last entry that are not listed, because there were too many. */
  readonly omitted: number;
}

export type AuditOutcome = 'begun' | 'done' | Reason;

/** Where calls that ask for a right are written down; bounded, the oldest go first. Synchronous; throws INTERNAL where it cannot be written. */
export interface AuditTrail {
  /** It outlives the process when it returns. The entry's number, ascending. */
  add(entry: AuditEntry): number;
  /** The outcome of an entry that was added as `begun`. */
  settle(sequence: number, outcome: AuditOutcome): void;
  /** The newest first, `before` a number (exclusive), at most `most`. */
  entries(before?: number, most?: number): readonly (AuditEntry & { readonly sequence: number })[];
}
