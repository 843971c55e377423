import { type BatchMember, ServingError, type Tensor, toServingError } from '../../core/index.js';
import { type MemberDone, type MemberOutcome, type QueueItem, type RequestQueue, StandIn } from '../batcher/index.js';
import { mergeOutputs, rowsOf } from './request-parts.js';

/**
 * A queue that takes requests of more rows than one execution may have: it splits them into parts that queue one by one and
 * share the request's deadline, and merges their outputs. One part that fails fails the request, and the others are
 * cancelled. Requests that fit pass untouched.
 */
export class SplitQueue implements RequestQueue {
  readonly #queue: RequestQueue;
  readonly #maxBatchSize: number;
  readonly #split = new Map<QueueItem, SplitRequest>();

  constructor(queue: RequestQueue, maxBatchSize: number) {
    this.#queue = queue;
    this.#maxBatchSize = maxBatchSize;
  }

  enqueue(item: QueueItem): void {
    if (item.member.rows <= this.#maxBatchSize) {
      this.#queue.enqueue(item);
      return;
    }
    const request = new SplitRequest(item, this.#maxBatchSize, this.#queue, () => this.#split.delete(item));
    this.#split.set(item, request);
    request.enqueue();
  }

  cancel(item: QueueItem): void {
    const request = this.#split.get(item);
    if (request === undefined) this.#queue.cancel(item);
    else request.cancel();
  }
}

/** One request in parts, until it is settled. */
class SplitRequest {
  readonly #item: QueueItem;
  readonly #queue: RequestQueue;
  readonly #over: () => void;
  readonly #parts: Part[] = [];
  #taken = 0;
  #open: number;
  /** Undefined once the request has its outcome; while parts are handed in, an outcome waits. */
  #entering = true;
  #settled = false;
  #outcome: MemberOutcome | undefined;

  constructor(item: QueueItem, maxBatchSize: number, queue: RequestQueue, over: () => void) {
    this.#item = item;
    this.#queue = queue;
    this.#over = over;
    const { rows } = item.member;
    for (let from = 0; from < rows; from += maxBatchSize) {
      const member = rowsOf(item.member, from, Math.min(from + maxBatchSize, rows));
      this.#parts.push(new Part(item, member, (outcome) => this.#ended(outcome)));
    }
    this.#open = this.#parts.length;
  }

  /** Hands in every part. Throws what the queue throws for the first that it does not take, all others cancelled. */
  enqueue(): void {
    try {
      for (const part of this.#parts) {
        this.#queue.enqueue(part);
        this.#taken++;
        if (this.#outcome !== undefined) break;
      }
    } catch (thrown) {
      this.#settled = true;
      this.#stop();
      throw thrown;
    }
    this.#entering = false;
    if (this.#outcome !== undefined) this.#settle(this.#outcome);
  }

  cancel(): void {
    const error = new ServingError('CLIENT_CANCELLED', 'the client cancelled the request');
    this.#settle({ kind: 'failed', error, execution: 0 });
  }

  #ended(outcome: MemberOutcome): void {
    this.#open--;
    if (this.#settled || this.#outcome !== undefined) return;
    if (outcome.kind === 'failed') this.#settle(outcome);
    else if (this.#open === 0) this.#settle(this.#merged());
  }

  #merged(): MemberOutcome {
    const done = this.#parts.map((part) => part.done as MemberDone);
    try {
      const last = done.reduce((a, b) => (b.batchFinishedNs > a.batchFinishedNs ? b : a));
      const deviceNs = done.reduce((sum, part) => sum + part.deviceNs, 0);
      const cost = last.cost === undefined ? undefined : done.reduce((sum, part) => sum + (part.cost ?? 0), 0);
      return { ...last, deviceNs, cost, outputs: mergeOutputs(done.map(({ outputs }) => outputs)) };
    } catch (thrown) {
      return { kind: 'failed', error: toServingError(thrown), execution: 0 };
    }
  }

  #settle(outcome: MemberOutcome): void {
    if (this.#entering) {
      // The caller of enqueue must not be settled for a request that may still be thrown back.
      this.#outcome ??= outcome;
      return;
    }
    if (this.#settled) return;
    this.#settled = true;
    this.#stop();
    this.#item.settle(outcome);
  }

  /** Nobody waits for the parts that are still open. */
  #stop(): void {
    this.#over();
    for (const part of this.#parts.slice(0, this.#taken)) if (!part.ended) this.#queue.cancel(part);
  }
}

/** Some rows of a request, as an item of their own. */
class Part extends StandIn {
  /** Its outputs are copies: those of the lane do not outlive `settle`. */
  done: MemberDone | undefined;
  ended = false;
  readonly #ended: (outcome: MemberOutcome) => void;

  constructor(item: QueueItem, member: BatchMember, ended: (outcome: MemberOutcome) => void) {
    super(item, { member });
    this.#ended = ended;
  }

  settle(outcome: MemberOutcome): void {
    this.ended = true;
    if (outcome.kind === 'done') this.done = { ...outcome, outputs: outcome.outputs.map(copyOf) };
    this.#ended(outcome);
  }
}

function copyOf(tensor: Tensor): Tensor {
  return { ...tensor, data: tensor.data.slice() };
}
