import type { Tensor } from '../../core/index.js';
import type { Entry } from './entry.js';
import { Link, LinkedFifo } from './linked-fifo.js';
import type { MemberOutcome } from './queue-item.js';

/**
 * preserve_ordering: replies leave in the order in which their requests came, errors included. A reply that is ready too
 * early is held with a copy of its outputs (the lane's buffers are used again): one copy, of its own rows, only then. Those
 * who went away are taken out. The batcher counts held replies against the queue's bound.
 */
export class ReplyOrder {
  readonly #arrivals = new LinkedFifo();
  #held = 0;

  get held(): number {
    return this.#held;
  }

  add(entry: Entry): void {
    entry.arrival = new Link(entry);
    this.#arrivals.push(entry.arrival);
  }

  remove(entry: Entry): void {
    if (entry.arrival === undefined) return;
    this.#arrivals.remove(entry.arrival);
    entry.arrival = undefined;
    if (entry.outcome !== undefined) this.#held--;
    entry.outcome = undefined;
  }

  /** True where nobody who came before is still unanswered. */
  isNext(entry: Entry): boolean {
    return this.#arrivals.head === entry.arrival;
  }

  hold(entry: Entry, outcome: MemberOutcome): void {
    entry.state = 'finished';
    entry.outcome = outcome.kind === 'done' ? { ...outcome, outputs: outcome.outputs.map(copyOf) } : outcome;
    this.#held++;
  }

  /** The earliest request, where its reply is ready. */
  ready(): Entry | undefined {
    const entry = this.#arrivals.head?.entry;
    return entry?.outcome === undefined ? undefined : entry;
  }
}

function copyOf(tensor: Tensor): Tensor {
  return { ...tensor, data: tensor.data.slice() };
}
