import type { LabelTally } from '../observation.js';

/** Which labels are summed: those for predictions of a version under a split, of one cohort. */
export interface SumPlace {
  readonly split: number;
  readonly metric: string;
  readonly cohort: number;
  readonly version: number;
}

export interface PlacedSum extends SumPlace {
  readonly tally: LabelTally;
}

/**
 * What the store has to hold of sums of labels: those that nobody took and those whose observation is not kept yet, so that
 * after a kill each label is counted in one observation that is kept, and in no other.
 */
export class StoredSums {
  readonly #waiting: (place: SumPlace) => LabelTally;
  /** Where the store holds a sum, or has to. */
  readonly #places = new Map<string, SumPlace>();
  /** Where it holds another one than it has to. */
  readonly #changed = new Set<string>();
  /** By rollout and place, what observations took that are not kept yet. */
  readonly #taken = new Map<string, Map<string, LabelTally>>();

  /** `waiting`: what nobody took of a place. */
  constructor(waiting: (place: SumPlace) => LabelTally) {
    this.#waiting = waiting;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  /** The sum of a place is another one now, and is to be stored. */
  change(place: SumPlace): void {
    const key = keyOf(place);
    if (!this.#places.has(key)) this.#places.set(key, place);
    this.#changed.add(key);
  }

  /** Nobody will take what waits there. */
  forget(place: SumPlace): void {
    if (this.#places.has(keyOf(place))) this.change(place);
  }

  /** An observation of a rollout has it; it was taken out of what waits. */
  take(rollout: string, place: SumPlace, tally: LabelTally): void {
    const key = keyOf(place);
    if (!this.#places.has(key)) return;
    const taken = this.#taken.get(rollout) ?? new Map<string, LabelTally>();
    this.#taken.set(rollout, taken);
    taken.set(key, sumOf(taken.get(key) ?? NO_LABELS, tally));
  }

  hasTaken(rollout: string): boolean {
    return this.#taken.has(rollout);
  }

  /** What is to be written: with `kept`, beside the observations of that rollout. `written` follows, or nothing where that failed. */
  rows(kept?: string): PlacedSum[] {
    const keys = new Set([...this.#changed, ...(this.#taken.get(kept ?? '')?.keys() ?? [])]);
    return [...keys].map((key) => {
      const place = this.#places.get(key) as SumPlace;
      let tally = this.#waiting(place);
      for (const [rollout, taken] of this.#taken)
        if (rollout !== kept) tally = sumOf(tally, taken.get(key) ?? NO_LABELS);
      return { ...place, tally };
    });
  }

  written(rows: readonly PlacedSum[], kept?: string): void {
    this.#changed.clear();
    if (kept !== undefined) this.#taken.delete(kept);
    for (const row of rows) if (row.tally.labels === 0) this.#places.delete(keyOf(row));
  }

  /** The store has none of it, and is to have none. */
  forgetAll(): void {
    this.#places.clear();
    this.#changed.clear();
    this.#taken.clear();
  }

  /** The store has none of it. */
  rewriteAll(): void {
    for (const key of this.#places.keys()) this.#changed.add(key);
  }
}

export const NO_LABELS: LabelTally = Object.freeze({
  labels: 0,
  wrong: 0,
  value: { count: 0, sum: 0, sumOfSquares: 0 },
});

export function sumOf(a: LabelTally, b: LabelTally): LabelTally {
  return {
    labels: a.labels + b.labels,
    wrong: a.wrong + b.wrong,
    value: {
      count: a.value.count + b.value.count,
      sum: a.value.sum + b.value.sum,
      sumOfSquares: a.value.sumOfSquares + b.value.sumOfSquares,
    },
  };
}

function keyOf({ split, cohort, version, metric }: SumPlace): string {
  return `${split} ${cohort} ${version} ${metric}`;
}
