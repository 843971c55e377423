import type { Feedback } from '../../core/index.js';
import { predictionKey } from './prediction-key.js';
import { Ring } from './ring.js';

export interface EarlyBounds {
  /** Items that wait, at most. */
  readonly maxItems: number;
  readonly keepMs: number;
}

/** An item whose prediction is still to come. */
export interface Waiting {
  /** From 1 on, in the order they came. */
  readonly number: number;
  readonly feedback: Feedback;
  readonly untilMs: number;
  /** Whether the store is told of it. */
  readonly stored: boolean;
}

/** Feedback that came before its prediction: kept a while, at most so much; the oldest goes first. */
export class EarlyLabels {
  readonly #bounds: EarlyBounds;
  readonly #byId = new Map<string, Waiting[]>();
  readonly #held: Ring<Waiting>;
  #last = 0;

  constructor(bounds: EarlyBounds) {
    this.#bounds = bounds;
    this.#held = new Ring(bounds.maxItems);
  }

  /** Items that wait; those that were taken count until their time has passed. */
  get size(): number {
    return this.#held.size;
  }

  /** Number of the last item that came; 0 before there is one. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest one that is held; behind the last where none is. */
  get first(): number {
    return this.#held.oldest?.number ?? this.#last + 1;
  }

  /** What waits now; `duplicate` where the same id has an item of that metric waiting; undefined: nothing may wait. */
  add(feedback: Feedback, nowMs: number, stored: boolean): Waiting | 'duplicate' | undefined {
    this.#expire(nowMs);
    const { maxItems, keepMs } = this.#bounds;
    if (maxItems === 0) return undefined;
    const others = this.#byId.get(predictionKey(feedback.model, feedback.requestId));
    if (others?.some((other) => other.feedback.metric === feedback.metric)) return 'duplicate';
    const waiting = { number: this.#last + 1, feedback, untilMs: nowMs + keepMs, stored };
    this.restore(waiting);
    return waiting;
  }

  /** Numbers up to this one were given by an earlier process. */
  continueAfter(number: number): void {
    this.#last = Math.max(this.#last, number);
  }

  /** Takes one of an earlier process, in the order of their numbers. */
  restore(waiting: Waiting): void {
    if (this.#bounds.maxItems === 0) return;
    if (this.#held.full) this.#forgetFirst();
    this.#last = Math.max(this.#last, waiting.number);
    const key = predictionKey(waiting.feedback.model, waiting.feedback.requestId);
    const left = this.#byId.get(key);
    if (left === undefined) this.#byId.set(key, [waiting]);
    else left.push(waiting);
    this.#held.add(waiting);
  }

  /** What waits for a prediction that has just been made. */
  take(model: string, requestId: string, nowMs: number): readonly Waiting[] {
    this.#expire(nowMs);
    const key = predictionKey(model, requestId);
    const found = this.#byId.get(key);
    if (found === undefined) return NOTHING;
    this.#byId.delete(key);
    return found;
  }

  #expire(nowMs: number): void {
    for (;;) {
      const { oldest } = this.#held;
      if (oldest === undefined || nowMs <= oldest.untilMs) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const first = this.#held.removeOldest();
    const key = predictionKey(first.feedback.model, first.feedback.requestId);
    const left = this.#byId.get(key)?.filter((waiting) => waiting !== first);
    if (left === undefined || left.length === 0) this.#byId.delete(key);
    else this.#byId.set(key, left);
  }
}

const NOTHING: readonly Waiting[] = Object.freeze([]);
