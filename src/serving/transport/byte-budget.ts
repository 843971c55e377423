import { ServingError } from '../../core/index.js';

/** A bound on bytes held by requests in flight, over all connections of a server. */
export class ByteBudget {
  readonly #maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Throws `OVERLOADED` where the bound would be passed; else the caller owes a `release` of the same figure. */
  acquire(bytes: number): void {
    if (this.#takenBytes + bytes > this.#maxBytes) {
      throw new ServingError(
        'OVERLOADED',
        `request bodies in flight hold ${this.#takenBytes} of at most ${this.#maxBytes} bytes; ${bytes} more do not fit now`,
      );
    }
    this.#takenBytes += bytes;
  }

  /** Takes without a check: replies are counted, so that new requests wait, but never refused. */
  count(bytes: number): void {
    this.#takenBytes += bytes;
  }

  release(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
