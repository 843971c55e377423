import { NO_DEADLINE } from '../../core/index.js';
import { DueHeap } from '../batcher/index.js';
import type { HeldRequest } from './held-request.js';
import type { LiveSequence } from './live-sequence.js';
import type { SequenceFigures } from './sequence-figures.js';

/** The requests whose turn has not come, in the lines of their sequences and by their deadlines. */
export class Turns {
  readonly #due = new DueHeap<HeldRequest>();
  readonly #figures: SequenceFigures;

  constructor(figures: SequenceFigures) {
    this.#figures = figures;
  }

  /** The one whose deadline is first. */
  get first(): HeldRequest | undefined {
    return this.#due.first;
  }

  /** It waits behind what waits of its sequence. */
  wait(held: HeldRequest): void {
    held.of.waiting.add(held);
    this.#count(held);
  }

  /** It had its turn and waits for another, before what came after it. */
  waitAgain(held: HeldRequest): void {
    const { of } = held;
    of.waiting = new Set([held, ...of.waiting]);
    this.#count(held);
  }

  /** It does not wait any more; no effect where it does not. */
  leave(held: HeldRequest): void {
    if (!held.of.waiting.delete(held)) return;
    this.#due.remove(held);
    this.#figures.held--;
  }

  /** All that wait of `sequences` leave. */
  leaveAll(sequences: Iterable<LiveSequence>): HeldRequest[] {
    const left: HeldRequest[] = [];
    for (const { waiting } of sequences) left.push(...waiting);
    for (const held of left) this.leave(held);
    return left;
  }

  #count(held: HeldRequest): void {
    this.#figures.held++;
    this.#due.set(held, held.deadlineNs === NO_DEADLINE ? Number.POSITIVE_INFINITY : held.deadlineNs);
  }
}
