import { CRITICALITIES, DEFAULT_CRITICALITY, type Placed } from '../../core/index.js';
import { Link } from './linked-fifo.js';
import type { MemberOutcome, QueueItem } from './queue-item.js';
import type { RunningBatch } from './running-batch.js';
import type { Candidate } from './scheduling-view.js';
import type { TenantAccount } from './tenant-account.js';
import type { Level, WaitLimits } from './wait-limits.js';
import type { KeyGroup } from './wait-list.js';

/** By criticality. Powers of two, so that a line of one level is planned to the bit as if each counted one. */
const WORTH = CRITICALITIES.map((_, level) => 4096 ** (CRITICALITIES.length - 1 - level));

/** What the batcher keeps of a request from `enqueue` to `settle`. */
export class Entry implements Candidate, Placed {
  readonly item: QueueItem;
  readonly rows: number;
  /** Size of its length axes; 0: nothing of it may be padded. */
  readonly length: number;
  /** The group of lengths that `length` is in, once it was asked for; 0 = not yet. */
  lengthGroup = 0;
  readonly enqueuedNs: number;
  readonly level: Level;
  /** Of its tenant. */
  readonly account: TenantAccount;
  readonly criticality: number;
  readonly deadlineNs: number;
  /** When nobody waits for its answer any more: the caller's deadline alone. An SLO that is missed is answered late. */
  readonly answerByNs: number;
  /** Its place in the line of its level: its deadline, or a patience where that is later. */
  readonly orderNs: number;
  /** Queue time-out; `NO_DEADLINE` once it has acted or the request was taken. */
  expiresNs: number;
  /** `finished`: has its outcome, which waits for earlier replies (preserve_ordering). */
  state: 'waiting' | 'running' | 'finished' | 'settled' = 'waiting';
  /** The batch it is in while `running`. */
  batch: RunningBatch | undefined = undefined;
  /** The last execution that it was part of; 0 = none yet. */
  execution = 0;
  /** When that was begun. */
  begunNs = 0;
  /** Its outcome while `finished`. */
  outcome: MemberOutcome | undefined = undefined;

  /** Places in the line, among those of its key, among those of its criticality where they are filed, and (preserve_ordering) in the order of arrival. */
  readonly inLine: Link = new Link(this);
  readonly inGroup: Link = new Link(this);
  inLevel: Link | undefined = undefined;
  arrival: Link | undefined = undefined;
  group: KeyGroup | undefined = undefined;

  /** Among those that are not settled. */
  place = -1;
  /** Place in the heap of instants, -1 = not there; and the instant it is filed under. */
  heapIndex = -1;
  dueNs = 0;

  constructor(item: QueueItem, account: TenantAccount, level: Level, limits: WaitLimits) {
    this.item = item;
    this.rows = item.member.rows;
    this.length = item.length ?? 0;
    this.enqueuedNs = item.enqueuedNs;
    this.level = level;
    this.account = account;
    this.criticality = item.criticality ?? DEFAULT_CRITICALITY;
    this.deadlineNs = limits.deadlineNs;
    this.answerByNs = limits.answerByNs;
    this.orderNs = limits.orderNs;
    this.expiresNs = limits.expiresNs;
  }

  get worth(): number {
    return WORTH[this.criticality] as number;
  }
}
