import { PlacedSet, type Tensor } from '../../core/index.js';
import type { MemberOutcome, QueueItem } from '../batcher/index.js';
import { HeldRequest } from './held-request.js';
import type { LiveSequence } from './live-sequence.js';

/** The requests that were accepted and are not answered, and how they are: each once. */
export class Accepted {
  readonly #held = new PlacedSet<HeldRequest>();
  /** Of the outputs of an execution the first so many are the clients'. */
  readonly #outputs: number;
  readonly #instances: number;

  constructor(outputs: number, instances: number) {
    this.#outputs = outputs;
    this.#instances = instances;
  }

  get count(): number {
    return this.#held.size;
  }

  add(held: HeldRequest): void {
    this.#held.add(held);
    held.item.acceptedAs = held;
  }

  find(item: QueueItem): HeldRequest | undefined {
    const { acceptedAs } = item;
    return acceptedAs instanceof HeldRequest && this.#held.has(acceptedAs) ? acceptedAs : undefined;
  }

  /** The outputs that clients see. */
  shown(outputs: readonly Tensor[]): readonly Tensor[] {
    return outputs.length === this.#outputs ? outputs : outputs.slice(0, this.#outputs);
  }

  /** Tells the caller, with the outputs that it may see, the time that it waited for its turn, and a number for its execution. */
  answer(held: HeldRequest, outcome: MemberOutcome): void {
    const { item, of } = held;
    this.#held.delete(held);
    item.acceptedAs = undefined;
    const execution = this.#executionNumber(outcome.execution, of);
    if (outcome.kind === 'failed') {
      item.settle({ ...outcome, execution });
      return;
    }
    const done = held.whole(outcome);
    item.settle({
      ...done,
      execution,
      outputs: this.shown(done.outputs),
      queueNs: done.queueNs + ((held.enteredNs ?? item.enqueuedNs) - item.enqueuedNs),
    });
  }

  /** Instances number their executions each by itself. */
  #executionNumber(execution: number, { slot }: LiveSequence): number {
    return execution === 0 ? 0 : (execution - 1) * this.#instances + (slot?.instance ?? 0) + 1;
  }
}
