/** The last items in the order they came, at most so many. Cost of each call: constant, where a map walks over what was removed at its front. */
export class Ring<T> {
  readonly #most: number;
  readonly #items: (T | undefined)[] = [];
  #first = 0;
  #size = 0;

  /** `most`: at least 1 where anything is added. */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size === this.#most;
  }

  /** The oldest one; undefined where there is none. */
  get oldest(): T | undefined {
    return this.#items[this.#first];
  }

  /** Only where it is not full. */
  add(item: T): void {
    this.#items[(this.#first + this.#size) % this.#most] = item;
    this.#size++;
  }

  /** Takes the oldest one out; only where there is one. */
  removeOldest(): T {
    const oldest = this.#items[this.#first] as T;
    this.#items[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#most;
    this.#size--;
    return oldest;
  }
}
