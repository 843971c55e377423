import type { SettledFact } from '../../core/index.js';
import { predictionKey } from './prediction-key.js';
import { Ring } from './ring.js';

/** One answered request that feedback may come for. */
export interface Prediction {
  /** From 1 on, in the order they were made. */
  readonly number: number;
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly split: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Undefined: the answer has no output of numbers. */
  readonly topIndex: number | undefined;
  /** Whether the store is told of it, and of what is told of it. */
  readonly stored: boolean;
  /** Several requests had this id: nobody can say whose feedback it is. */
  ambiguous: boolean;
  /** Metrics that it has feedback of. */
  readonly told: string[];
}

export interface PredictionBounds {
  readonly maxPredictions: number;
  readonly keepMs: number;
}

/** The last predictions by model and id, at most so many and so old. The oldest go first; the cost of each call is constant. */
export class PredictionMemory {
  readonly #bounds: PredictionBounds;
  readonly #byId = new Map<string, Prediction>();
  /** In the order of their time. */
  readonly #kept: Ring<Prediction>;
  #last = 0;

  constructor(bounds: PredictionBounds) {
    this.#bounds = bounds;
    this.#kept = new Ring(bounds.maxPredictions);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Number of the last prediction that was made; 0 before there is one. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest one that is remembered; behind the last where none is. */
  get first(): number {
    return this.#kept.oldest?.number ?? this.#last + 1;
  }

  /** The new prediction, or the one known of the same id: that is ambiguous now. */
  add(fact: SettledFact, nowMs: number, stored: boolean): { readonly prediction: Prediction; readonly known: boolean } {
    this.expire(nowMs);
    const { model, requestId, version, split, output } = fact;
    const known = this.#byId.get(predictionKey(model, requestId));
    if (known !== undefined) {
      known.ambiguous = true;
      return { prediction: known, known: true };
    }
    const prediction: Prediction = {
      number: this.#last + 1,
      id: requestId,
      model,
      version,
      split,
      atMs: nowMs,
      topIndex: output?.topIndex,
      stored,
      ambiguous: false,
      told: [],
    };
    this.restore(prediction);
    return { prediction, known: false };
  }

  /** Numbers up to this one were given by an earlier process. */
  continueAfter(number: number): void {
    this.#last = Math.max(this.#last, number);
  }

  /** Takes one of an earlier process, in the order of their numbers. */
  restore(prediction: Prediction): void {
    if (this.#kept.full) this.#forgetFirst();
    this.#last = Math.max(this.#last, prediction.number);
    this.#byId.set(predictionKey(prediction.model, prediction.id), prediction);
    this.#kept.add(prediction);
  }

  find(model: string, requestId: string, nowMs: number): Prediction | undefined {
    this.expire(nowMs);
    return this.#byId.get(predictionKey(model, requestId));
  }

  expire(nowMs: number): void {
    for (;;) {
      const { oldest } = this.#kept;
      if (oldest === undefined || nowMs - oldest.atMs <= this.#bounds.keepMs) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const { model, id } = this.#kept.removeOldest();
    this.#byId.delete(predictionKey(model, id));
  }
}
