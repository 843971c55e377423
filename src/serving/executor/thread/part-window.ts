/** Parts on their way that nobody has taken yet, at most: as many, or as many bytes, of one request. */
const MOST_PARTS = 16;
const MOST_BYTES = 1024 * 1024;

/** How far a request's parts may be ahead of who reads them; both threads keep one by the same rule. */
export class PartWindow {
  readonly #bytes: number[] = [];
  #total = 0;

  /** No further part is sent until one was taken. A single part passes whatever its size. */
  get full(): boolean {
    return this.#bytes.length >= MOST_PARTS || this.#total >= MOST_BYTES;
  }

  sent(bytes: number): void {
    this.#bytes.push(bytes);
    this.#total += bytes;
  }

  /** The oldest one was taken. No effect where none is on its way. */
  taken(): void {
    this.#total -= this.#bytes.shift() ?? 0;
  }
}
