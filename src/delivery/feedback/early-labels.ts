import type { Feedback } from '../../core/index.js';
import { predictionKey } from './prediction-key.js';
import { Ring } from './ring.js';

export interface EarlyBounds {
  /** Items that wait, at most. */
  readonly maxItems: number;
  readonly keepMs: number;
}

interface Waiting {
  readonly feedback: Feedback;
  readonly untilMs: number;
}

/** Feedback that came before its prediction: kept a while, at most so much; the oldest goes first. */
export class EarlyLabels {
  readonly #bounds: EarlyBounds;
  readonly #byId = new Map<string, Waiting[]>();
  readonly #held: Ring<Waiting>;

  constructor(bounds: EarlyBounds) {
    this.#bounds = bounds;
    this.#held = new Ring(bounds.maxItems);
  }

  /** Items that wait; those that were taken count until their time has passed. */
  get size(): number {
    return this.#held.size;
  }

  /** False where the same id has an item of that metric waiting. */
  add(feedback: Feedback, nowMs: number): boolean {
    this.#expire(nowMs);
    const { maxItems, keepMs } = this.#bounds;
    if (maxItems === 0) return true;
    const key = predictionKey(feedback.model, feedback.requestId);
    const others = this.#byId.get(key);
    if (others?.some((other) => other.feedback.metric === feedback.metric)) return false;
    if (this.#held.full) this.#forgetFirst();
    const waiting = { feedback, untilMs: nowMs + keepMs };
    const left = this.#byId.get(key);
    if (left === undefined) this.#byId.set(key, [waiting]);
    else left.push(waiting);
    this.#held.add(waiting);
    return true;
  }

  /** What waits for a prediction that has just been made. */
  take(model: string, requestId: string, nowMs: number): readonly Feedback[] {
    this.#expire(nowMs);
    const key = predictionKey(model, requestId);
    const found = this.#byId.get(key);
    if (found === undefined) return NOTHING;
    this.#byId.delete(key);
    return found.map(({ feedback }) => feedback);
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

const NOTHING: readonly Feedback[] = Object.freeze([]);
