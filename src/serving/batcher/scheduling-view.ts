import type { BatchPolicy, CostCurve } from '../../core/index.js';

/** A waiting request as the decision sees it. */
export interface Candidate {
  readonly rows: number;
  readonly enqueuedNs: number;
  /** When it is wanted: the earlier of the caller's deadline and the model's SLO; `NO_DEADLINE` where neither is. */
  readonly deadlineNs: number;
  /** What its loss counts: of one level more than that of any number of a level that matters less. */
  readonly worth: number;
}

/** What the decision knows. The batcher fills one object again and again: nothing of it may be kept. */
export interface SchedulingView {
  readonly policy: BatchPolicy;
  /** Executions that could start now. */
  readonly freeSlots: number;
  /** Requests waiting, of every key. */
  readonly waiting: number;
  /**
   * The requests that could share a batch with the head of the line, the head first, in the order of service, as long as
   * they fit into one execution.
   */
  readonly candidates: readonly Candidate[];
  /** No further row can come to this batch: it is full, or a request that would share it does not fit. */
  readonly saturated: boolean;
  /** No request can come any more, so that waiting for one is no use. */
  readonly draining: boolean;
  /** What planning needs; undefined where the time of an execution is unknown or nobody who could join has a deadline. */
  readonly plan: Plan | undefined;
}

/** What is known of time: how long executions take, when instances come free, how fast requests come. */
export interface Plan {
  readonly curve: CostCurve;
  /** Most rows of one execution that pay: more of them would lower the rate of rows. */
  readonly mostRows: number;
  /** Waiting rows that could share a batch with the head. */
  readonly rows: number;
  /** Requests of other keys wait too. */
  readonly othersWait: boolean;
  /** Those that could share a batch with the head are of several priority levels. */
  readonly mixedLevels: boolean;
  /** They are of several tenants, whose shares decide the order of service: it is not that of deadlines. */
  readonly mixedTenants: boolean;
  /** The head of the line. */
  readonly head: Candidate;
  /** No deadline among those that could share a batch with the head is earlier. */
  readonly tightestNs: number;
  /** Executions that can run at once. */
  readonly instances: number;
  /** When the executions in flight are expected to end, ascending; it may be in the past. */
  readonly busyUntilNs: readonly number[];
  /** Rows a nanosecond that come, smoothed; 0 while unknown. */
  readonly rowsPerNs: number;
  /** When the last execution started. */
  readonly lastStartNs: number;
  /** Those that could share a batch with the head, in the order of service, at least `rows` rows of them where so many wait. */
  line(rows: number): readonly Candidate[];
  /** What `line` gave last, in the order of deadlines. */
  byDeadline(): readonly Candidate[];
}

/** Why a decision is what it is; shown to operators, and in refusals. */
export type Why =
  | 'one request is one execution'
  | 'a preferred size is reached'
  | 'the batch is full'
  | 'the queue delay is over'
  | 'an instance is free'
  | 'no request can come any more'
  | 'the deadline of the head leaves no time for more'
  | 'its turn has come'
  | 'to see whether its deadline can be met after all'
  | 'waits for max_queue_delay_microseconds'
  | 'waits for more rows: the other instances suffice meanwhile'
  | 'waits for its turn: starts are spread over the instances'
  | 'its deadline cannot be met any more'
  | 'without it more requests meet their deadlines'
  | 'gave its place in the full queue to one that matters more'
  | 'gave its place in the full queue to a tenant that has less of it'
  | 'gave its time to one that matters more'
  | 'it cannot be answered by its deadline'
  | 'the queue is full'
  | 'its batch failed: in halves, to find whose data it was'
  | 'no instance is free';

/**
 * `run`: start the first `members` candidates. `wait`: ask again at `untilNs`, or once `untilRows` rows of the head's key
 * wait. `drop`: refuse the first `members` of the line of the head's key, or (`byDeadline`) of that in the order of deadlines,
 * then ask again.
 */
export type Decision =
  | { readonly kind: 'run'; readonly members: number; readonly why: Why }
  | { readonly kind: 'wait'; readonly untilNs: number; readonly untilRows: number; readonly why: Why }
  | { readonly kind: 'drop'; readonly members: number; readonly byDeadline?: boolean; readonly why: Why }
  | { readonly kind: 'idle'; readonly why: Why };

/** What to do now: a pure function of what is known and the time. */
export type Decide = (view: SchedulingView, nowNs: number) => Decision;

export const IDLE: Decision = { kind: 'idle', why: 'no instance is free' };
