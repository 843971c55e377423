import type { BatchMember, Placed, ServingError, Tensor } from '../../core/index.js';
import { type MemberDone, type MemberOutcome, type QueueItem, StandIn } from '../batcher/index.js';
import type { LiveSequence } from './live-sequence.js';

/** A member of an execution that has a row of its own: `direct`. */
export interface SlottedMember extends BatchMember {
  readonly slot: number;
}

/**
 * A request of a sequence until it is answered: what waits for its turn, then what its instance's queue is given. Its member are
 * the clients' inputs, with controls and states from `enter` on.
 */
export class HeldRequest extends StandIn implements Placed {
  readonly of: LiveSequence;
  start: boolean;
  /** As the model is told. */
  end: boolean;
  /** The sequence is over with it, whether the model is told or not. */
  last: boolean;
  /** What it is told where it fails: why its sequence was ended meanwhile. */
  verdict: ServingError | undefined;
  /** When its turn came first; undefined: it has not. */
  enteredNs: number | undefined;
  /** Runs that the model asked to be repeated, and what all of them took. */
  runs = 0;
  #before: MemberDone | undefined;
  /** Responses that its caller has not taken yet; while there are too many it is not run again. */
  untaken = 0;
  /** Among those that are not answered. */
  place = -1;
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
    this.enteredNs ??= nowNs;
  }

  /** The model asks for another run, in which it is not told that its sequence begins or ends. */
  repeat(done: MemberDone): void {
    this.#before = this.whole(done);
    this.runs++;
    this.start = false;
    this.end = false;
  }

  /** Its last run with the times and costs of those before. */
  whole(done: MemberDone): MemberDone {
    const before = this.#before;
    if (before === undefined) return done;
    return {
      ...done,
      deviceNs: before.deviceNs + done.deviceNs,
      cost: done.cost === undefined ? before.cost : (before.cost ?? 0) + done.cost,
      queueNs: before.queueNs + done.queueNs,
      gatherNs: before.gatherNs + done.gatherNs,
      dispatchNs: before.dispatchNs + done.dispatchNs,
      computeNs: before.computeNs + done.computeNs,
    };
  }

  settle(outcome: MemberOutcome): void {
    this.#settled(this, outcome);
  }
}
