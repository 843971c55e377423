import {
  type BatchMember,
  type Charge,
  type Criticality,
  DEFAULT_CRITICALITY,
  NOBODY,
  type RequestOrigin,
  type SequencePart,
  type Tenant,
  UNROUTED,
} from '../../core/index.js';
import type { MemberOutcome, QueueItem } from './queue-item.js';

/**
 * What a queue hands on in the place of an item that it took, to see its outcome first. It says of itself what the item says, but
 * where whoever makes it says otherwise. Fields of its own, as the batcher reads them often.
 */
export abstract class StandIn implements QueueItem {
  readonly item: QueueItem;
  /** All of the item, a part of it, or more than it. */
  member: BatchMember;
  key: string;
  enqueuedNs: number;
  readonly length: number;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly deadlineNs: number;
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  readonly charge: Charge;
  acceptedAs: unknown = undefined;

  constructor(item: QueueItem, own: OfItsOwn = item) {
    this.item = item;
    this.member = own.member ?? item.member;
    this.key = item.key;
    this.enqueuedNs = item.enqueuedNs;
    this.length = item.length ?? 0;
    this.priority = item.priority;
    this.timeoutUs = own.timeoutUs ?? item.timeoutUs;
    this.deadlineNs = own.deadlineNs ?? item.deadlineNs;
    this.tenant = item.tenant ?? NOBODY;
    this.criticality = item.criticality ?? DEFAULT_CRITICALITY;
    this.charge = item.charge ?? UNROUTED;
  }

  get watched(): boolean {
    return this.item.watched ?? false;
  }

  get origin(): RequestOrigin | undefined {
    return this.item.origin;
  }

  get sequence(): SequencePart | undefined {
    return this.item.sequence;
  }

  abstract settle(outcome: MemberOutcome): void;
}

/** What a stand-in says of itself alone. */
export type OfItsOwn = Partial<Pick<QueueItem, 'member' | 'timeoutUs' | 'deadlineNs'>>;
