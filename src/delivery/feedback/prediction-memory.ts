import type { SettledFact } from '../../core/index.js';
import { predictionKey } from './prediction-key.js';
import { Ring } from './ring.js';

/** One answered request that feedback may come for. */
export interface Prediction {
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly split: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Undefined: the answer has no output of numbers. */
  readonly topIndex: number | undefined;
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

  constructor(bounds: PredictionBounds) {
    this.#bounds = bounds;
    this.#kept = new Ring(bounds.maxPredictions);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Undefined where another request of the same id is known: that prediction is ambiguous now. */
  add(fact: SettledFact, nowMs: number): Prediction | undefined {
    this.expire(nowMs);
    const { model, requestId, version, split, output } = fact;
    const key = predictionKey(model, requestId);
    const known = this.#byId.get(key);
    if (known !== undefined) {
      known.ambiguous = true;
      return undefined;
    }
    if (this.#kept.full) this.#forgetFirst();
    const prediction: Prediction = {
      id: requestId,
      model,
      version,
      split,
      atMs: nowMs,
      topIndex: output?.topIndex,
      ambiguous: false,
      told: [],
    };
    this.#byId.set(key, prediction);
    this.#kept.add(prediction);
    return prediction;
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
