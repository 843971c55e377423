import type { SettledFact } from '../../core/index.js';

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
  /** In the order of their time: a ring, for what a map removes at its front it still walks over. */
  readonly #ring: (Prediction | undefined)[] = [];
  #first = 0;
  #count = 0;

  constructor(bounds: PredictionBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#count;
  }

  /** Undefined where another request of the same id is known: that prediction is ambiguous now. */
  add(fact: SettledFact, nowMs: number): Prediction | undefined {
    this.expire(nowMs);
    const { model, requestId, version, split, output } = fact;
    const key = keyOf(model, requestId);
    const known = this.#byId.get(key);
    if (known !== undefined) {
      known.ambiguous = true;
      return undefined;
    }
    if (this.#count === this.#bounds.maxPredictions) this.#forgetFirst();
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
    this.#ring[(this.#first + this.#count) % this.#bounds.maxPredictions] = prediction;
    this.#count++;
    return prediction;
  }

  find(model: string, requestId: string, nowMs: number): Prediction | undefined {
    this.expire(nowMs);
    return this.#byId.get(keyOf(model, requestId));
  }

  expire(nowMs: number): void {
    for (;;) {
      const first = this.#ring[this.#first];
      if (this.#count === 0 || first === undefined || nowMs - first.atMs <= this.#bounds.keepMs) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const first = this.#ring[this.#first] as Prediction;
    this.#byId.delete(keyOf(first.model, first.id));
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#bounds.maxPredictions;
    this.#count--;
  }
}

/** Names of models hold no control character. */
function keyOf(model: string, requestId: string): string {
  return `${model}\n${requestId}`;
}
