import type { MemberOutcome, QueueItem } from './queue-item.js';
import type { RunningBatch } from './running-batch.js';
import type { Candidate } from './scheduling-view.js';
import type { Level, WaitLimits } from './wait-limits.js';
import type { KeyGroup } from './wait-list.js';

/** A place in one doubly linked list, so that a request leaves any list at once, wherever it stands. */
export class Link {
  readonly entry: Entry;
  prev: Link | undefined = undefined;
  next: Link | undefined = undefined;
  list: LinkedFifo | undefined = undefined;

  constructor(entry: Entry) {
    this.entry = entry;
  }
}

/** First in, first out (`push`) or in the order of `orderNs` (`insert`), with removal from anywhere in O(1). */
export class LinkedFifo {
  head: Link | undefined = undefined;
  tail: Link | undefined = undefined;

  push(link: Link): void {
    link.list = this;
    link.prev = this.tail;
    link.next = undefined;
    if (this.tail === undefined) this.head = link;
    else this.tail.next = link;
    this.tail = link;
  }

  /** Puts it before those that are wanted later, after those of the same instant. Linear in those it overtakes. */
  insert(link: Link): void {
    let before = this.tail;
    while (before !== undefined && before.entry.orderNs > link.entry.orderNs) before = before.prev;
    if (before === this.tail) {
      this.push(link);
      return;
    }
    const after = before === undefined ? this.head : before.next;
    link.list = this;
    link.prev = before;
    link.next = after;
    if (before === undefined) this.head = link;
    else before.next = link;
    if (after !== undefined) after.prev = link;
  }

  remove(link: Link): void {
    if (link.list !== this) throw new Error('the request is not in this list');
    if (link.prev === undefined) this.head = link.next;
    else link.prev.next = link.next;
    if (link.next === undefined) this.tail = link.prev;
    else link.next.prev = link.prev;
    link.prev = undefined;
    link.next = undefined;
    link.list = undefined;
  }
}

/** Who names no deadline, or a late one, is served as if the answer were wanted within this: it cannot starve. */
const PATIENCE_NS = 1e9;

/** What the batcher keeps of a request from `enqueue` to `settle`. */
export class Entry implements Candidate {
  readonly item: QueueItem;
  readonly rows: number;
  readonly enqueuedNs: number;
  readonly level: Level;
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
  /** Its outcome while `finished`. */
  outcome: MemberOutcome | undefined = undefined;

  /** Places in the line, among those of its key, and (preserve_ordering) in the order of arrival. */
  readonly inLine: Link = new Link(this);
  readonly inGroup: Link = new Link(this);
  arrival: Link | undefined = undefined;
  group: KeyGroup | undefined = undefined;

  /** Place in the heap of instants, -1 = not there; and the instant it is filed under. */
  heapIndex = -1;
  dueNs = 0;

  constructor(item: QueueItem, level: Level, limits: WaitLimits) {
    this.item = item;
    this.rows = item.member.rows;
    this.enqueuedNs = item.enqueuedNs;
    this.level = level;
    this.deadlineNs = limits.deadlineNs;
    this.answerByNs = limits.answerByNs;
    this.orderNs = Math.min(limits.deadlineNs, item.enqueuedNs + PATIENCE_NS);
    this.expiresNs = limits.expiresNs;
  }
}
