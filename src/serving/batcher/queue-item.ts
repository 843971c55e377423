import type {
  BatchMember,
  Charge,
  Criticality,
  QueueOutlook,
  RequestOrigin,
  SchedulerReport,
  SequencePart,
  SequencesReport,
  ServingError,
  Tenant,
  Tensor,
  WatchedStep,
} from '../../core/index.js';

/** A request as the batcher takes it. It stays the caller's; the batcher reads it, notes what it keeps of it, and calls `settle` once. */
export interface QueueItem {
  readonly member: BatchMember;
  /** What must be equal to share a batch (the architecture's BatchKey as text); '' where the version has one shape. */
  readonly key: string;
  /** Size of its length axes (`TensorSpec.lengthAxes`), which the key leaves out; 0 or absent: nothing of it may be padded. */
  readonly length?: number;
  /** 1 (highest) to the version's levels; 0, or a level it does not have, takes the default level (as in Triton). */
  readonly priority: number;
  /** The request's `timeout` parameter in microseconds; 0 = none. See `waitLimits`. */
  readonly timeoutUs: number;
  /** Monotonic nanoseconds; `NO_DEADLINE` where none. */
  readonly deadlineNs: number;
  readonly enqueuedNs: number;
  /** Whom it is answered for; absent: `NOBODY`. */
  readonly tenant?: Tenant;
  /** Absent: `DEFAULT_CRITICALITY`. */
  readonly criticality?: Criticality;
  /** Under what its time on the device is booked; absent: `UNROUTED`. */
  readonly charge?: Charge;
  /** Somebody wants to know what the steps of an ensemble did; absent: nobody does. */
  readonly watched?: boolean;
  /** What the steps of an ensemble say of themselves; absent: nothing. */
  readonly origin?: RequestOrigin | undefined;
  /** Its place in a sequence; absent: it is in none. A batcher does not look at it. */
  readonly sequence?: SequencePart | undefined;
  /** What the queue that has accepted it keeps of it: that queue's own, by which it is found again without a table of all. */
  acceptedAs?: unknown;
  /**
   * The one outcome. Called exactly once, synchronously, possibly before `enqueue` returns; must not throw. It may
   * enqueue and cancel.
   */
  settle(outcome: MemberOutcome): void;
}

/** Where the requests of one version wait: its `Batcher`, or one on another thread. */
export interface RequestQueue {
  /**
   * Takes an item. Throws `QUEUE_FULL`, `OVERLOADED`, `DRAINING`, `DEADLINE_EXCEEDED`; then the item is not settled.
   * Otherwise it is settled once, perhaps at once.
   */
  enqueue(item: QueueItem): void;
  /** The caller went away: the item is settled soon, with `CLIENT_CANCELLED` unless it has its outcome. */
  cancel(item: QueueItem): void;
}

/** A version's whole queue, as who hosts the version has it. */
export interface VersionQueue extends RequestQueue {
  /** Requests waiting for an instance. */
  readonly depth: number;
  /** What it does and why, for people. */
  report(): SchedulerReport;
  outlook(): QueueOutlook;
  /** Absent: its requests are each their own. */
  sequences?(): SequencesReport;
  /** Settles every waiting request with `error`, those in flight go on. */
  failWaiting(error: ServingError): void;
  /** Takes no more requests and resolves when every accepted one is settled; what is left after `timeoutMs` is cut off. */
  drain(timeoutMs: number): Promise<void>;
}

/** What became of a request. */
export type MemberOutcome = MemberDone | MemberFailed;

/** An error, at whatever place on its way. */
export interface MemberFailed {
  readonly kind: 'failed';
  readonly error: ServingError;
  /** As in `MemberDone`; 0 = it was in none. */
  readonly execution: number;
  /** When that execution was begun; absent where it was in none. */
  readonly begunNs?: number | undefined;
}

/** Its own rows, and where the time of its execution went. */
export interface MemberDone {
  readonly kind: 'done';
  /** In the order of the model's spec. Views of the lane, valid only until `settle` returns. */
  readonly outputs: readonly Tensor[];
  /** The execution that it was part of: from 1, counted by the version while it is loaded, the same for all members. */
  readonly execution: number;
  /** Its part of the time on the device, padding taken off: of the device's time where that is metered, else of the execution's. */
  readonly deviceNs: number;
  /** What that costs; undefined: no price is known. */
  readonly cost: number | undefined;
  readonly queueNs: number;
  readonly gatherNs: number;
  readonly dispatchNs: number;
  readonly computeNs: number;
  /** Rows of the whole execution; 0 for a model without a batch axis. */
  readonly batchRows: number;
  /** Where it ran, as `deviceNumber` has it. */
  readonly device: number;
  /** Requests of the execution, this one included. */
  readonly batchRequests: number;
  /** Share of the execution that was padding, 0 to 1. */
  readonly paddingShare: number;
  /** When the execution ended; what passed since is scatter. */
  readonly batchFinishedNs: number;
  /** Of an ensemble's request: what its steps were part of. */
  readonly steps?: readonly WatchedStep[] | undefined;
  /** It was in no execution: its answer was kept from an identical request, or shared with one. */
  readonly reused?: 'cached' | 'coalesced' | undefined;
}
