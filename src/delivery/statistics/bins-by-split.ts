/** Bins that are not full yet: of the present split, and of earlier ones that things still come in for. */
const MOST_OPEN = 8;

/**
 * Gathers observations until there are enough for one look, apart for each split: what came while the candidate had one
 * share is not to be mixed with what came while it had another. When a bin is full depends on how much was seen, never on
 * what was. Constant memory.
 */
export class BinsBySplit<Bin> {
  readonly #open = new Map<number, Bin>();
  readonly #merge: (bin: Bin, seen: Bin) => Bin;
  readonly #isFull: (bin: Bin) => boolean;

  constructor(merge: (bin: Bin, seen: Bin) => Bin, isFull: (bin: Bin) => boolean) {
    this.#merge = merge;
    this.#isFull = isFull;
  }

  /** The bin that is full with this; undefined: none is. */
  add(split: number, seen: Bin): Bin | undefined {
    const open = this.#open.get(split);
    const bin = open === undefined ? seen : this.#merge(open, seen);
    if (this.#isFull(bin)) {
      this.#open.delete(split);
      return bin;
    }
    this.#open.set(split, bin);
    // The least recent split will hardly fill its bin any more.
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value as number);
    return undefined;
  }
}
