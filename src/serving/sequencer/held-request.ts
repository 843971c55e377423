import type { BatchMember, Charge, Criticality, ServingError, Tenant, Tensor } from '../../core/index.js';
import { DEFAULT_CRITICALITY, NOBODY, UNROUTED } from '../../core/index.js';
import type { MemberOutcome, QueueItem } from '../batcher/index.js';
import type { LiveSequence } from './live-sequence.js';

/** A member of an execution that has a row of its own: `direct`. */
export interface SlottedMember extends BatchMember {
  readonly slot: number;
}

/** A request of a sequence until it is answered: what waits for its turn, then what its instance's queue is given. */
export class HeldRequest implements QueueItem {
  readonly item: QueueItem;
  readonly sequence: undefined;
  readonly of: LiveSequence;
  readonly start: boolean;
  /** As the model is told. */
  readonly end: boolean;
  /** The sequence is over with it, whether the model is told or not. */
  last: boolean;
  /** What it is told where it fails: why its sequence was ended meanwhile. */
  verdict: ServingError | undefined;
  heapIndex = -1;
  dueNs = 0;
  /** Clients' inputs, controls and states; the request's own until `enter`. */
  member: BatchMember;
  key: string;
  enqueuedNs: number;
  readonly timeoutUs = 0;
  readonly deadlineNs: number;
  readonly #settled: (held: HeldRequest, outcome: MemberOutcome) => void;

  constructor(
    item: QueueItem,
    of: LiveSequence,
    flags: { readonly start: boolean; readonly end: boolean },
    answerByNs: number,
    settled: (held: HeldRequest, outcome: MemberOutcome) => void,
  ) {
    this.item = item;
    this.of = of;
    this.start = flags.start;
    this.end = flags.end;
    this.last = flags.end;
    this.member = item.member;
    this.key = item.key;
    this.enqueuedNs = item.enqueuedNs;
    this.deadlineNs = answerByNs;
    this.#settled = settled;
  }

  get priority(): number {
    return this.item.priority;
  }

  get tenant(): Tenant {
    return this.item.tenant ?? NOBODY;
  }

  get criticality(): Criticality {
    return this.item.criticality ?? DEFAULT_CRITICALITY;
  }

  get charge(): Charge {
    return this.item.charge ?? UNROUTED;
  }

  /** Its turn has come: it is what the model takes. */
  enter(own: readonly Tensor[], key: string, slot: number, nowNs: number): void {
    const { inputs, rows, lease } = this.item.member;
    const member: SlottedMember = { inputs: [...inputs, ...own], rows, lease, slot };
    this.member = member;
    this.key = this.item.key + key;
    this.enqueuedNs = nowNs;
  }

  settle(outcome: MemberOutcome): void {
    this.#settled(this, outcome);
  }
}
