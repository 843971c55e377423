import type { BatchMember, ServingError, Tensor } from '../../core/index.js';
import { type MemberOutcome, type QueueItem, StandIn } from '../batcher/index.js';
import type { LiveSequence } from './live-sequence.js';

/** A member of an execution that has a row of its own: `direct`. */
export interface SlottedMember extends BatchMember {
  readonly slot: number;
}

/**
 * A request of a sequence until it is answered: what waits for its turn, then what its instance's queue is given. Its member are
 * the clients' inputs, with controls and states from `enter` on.
 */
export class HeldRequest extends StandIn {
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
  readonly #settled: (held: HeldRequest, outcome: MemberOutcome) => void;

  constructor(
    item: QueueItem,
    of: LiveSequence,
    flags: { readonly start: boolean; readonly end: boolean },
    answerByNs: number,
    settled: (held: HeldRequest, outcome: MemberOutcome) => void,
  ) {
    super(item, { deadlineNs: answerByNs, timeoutUs: 0 });
    this.of = of;
    this.start = flags.start;
    this.end = flags.end;
    this.last = flags.end;
    this.#settled = settled;
  }

  /** Its turn has come: it is what the model takes. */
  enter(own: readonly Tensor[], key: string, slot: number, nowNs: number): void {
    const { inputs, rows, lease, parameters } = this.item.member;
    const member: SlottedMember = { inputs: [...inputs, ...own], rows, lease, parameters, slot };
    this.member = member;
    this.key = this.item.key + key;
    this.enqueuedNs = nowNs;
  }

  settle(outcome: MemberOutcome): void {
    this.#settled(this, outcome);
  }
}
