import type { Slot } from './live-sequence.js';

/** The slots of a version's instances: each has at most one sequence. */
export class Slots {
  readonly perInstance: number;
  /** By instance the index of each slot in use. */
  readonly #used: readonly Set<number>[];
  /** By instance an index below which none is free. */
  readonly #low: number[];
  #inUse = 0;

  constructor(instances: number, perInstance: number) {
    this.perInstance = perInstance;
    this.#used = Array.from({ length: instances }, () => new Set<number>());
    this.#low = this.#used.map(() => 0);
  }

  get all(): number {
    return this.#used.length * this.perInstance;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /**
   * The lowest free slot of the instance with the fewest sequences: batches of `direct` reach up to the highest slot in use, so
   * low ones make them small. Undefined where all are in use.
   */
  take(): Slot | undefined {
    if (this.#inUse === this.all) return undefined;
    let instance = 0;
    for (let i = 1; i < this.#used.length; i++) {
      if ((this.#used[i] as Set<number>).size < (this.#used[instance] as Set<number>).size) instance = i;
    }
    const used = this.#used[instance] as Set<number>;
    let index = this.#low[instance] as number;
    while (used.has(index)) index++;
    used.add(index);
    this.#low[instance] = index + 1;
    this.#inUse++;
    return { instance, index };
  }

  give({ instance, index }: Slot): void {
    const used = this.#used[instance] as Set<number>;
    if (!used.delete(index)) throw new Error(`slot ${index} of instance ${instance} is not in use`);
    this.#low[instance] = Math.min(this.#low[instance] as number, index);
    this.#inUse--;
  }
}
