import { ServingError } from '../../../core/index.js';
import type { ByteBudget } from '../byte-budget.js';

const FIRST_BYTES = 64 * 1024;

/**
 * Gathers a body from its chunks. Never allocates more than 64 KiB or twice what has arrived, whatever length was
 * declared; what it holds is taken from the server's budget until `release`.
 */
export class BodyBuffer {
  readonly #budget: ByteBudget;
  readonly #maxBytes: number;
  /** -1: not declared. */
  readonly #declaredBytes: number;
  #buffer: Uint8Array | undefined;
  #filledBytes = 0;
  #takenBytes = 0;

  constructor(budget: ByteBudget, maxBytes: number, declaredBytes: number) {
    this.#budget = budget;
    this.#maxBytes = maxBytes;
    this.#declaredBytes = declaredBytes;
  }

  /**
   * Copies a chunk (the library takes its memory back after the callback). Throws `BODY_TOO_LARGE`, `OVERLOADED`.
   */
  append(chunk: ArrayBuffer): void {
    const chunkBytes = chunk.byteLength;
    const needed = this.#filledBytes + chunkBytes;
    if (needed > this.#maxBytes) throw bodyTooLarge(this.#maxBytes, undefined);
    if (this.#buffer === undefined || needed > this.#buffer.byteLength) this.#grow(needed);
    (this.#buffer as Uint8Array).set(new Uint8Array(chunk), this.#filledBytes);
    this.#filledBytes = needed;
  }

  /** What has arrived; a view that stays valid after `release`, which is only about the count. */
  bytes(): Uint8Array {
    return this.#buffer === undefined ? EMPTY : this.#buffer.subarray(0, this.#filledBytes);
  }

  /** What has arrived, in an ArrayBuffer of its own that may be transferred to another thread. */
  ownedBytes(): Uint8Array {
    const bytes = this.bytes();
    return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  }

  /** Holds other bytes from now on (the same body, decompressed). Throws `OVERLOADED`. */
  replace(bytes: Uint8Array): void {
    this.release();
    this.#budget.acquire(bytes.byteLength);
    this.#takenBytes = bytes.byteLength;
    this.#buffer = bytes;
    this.#filledBytes = bytes.byteLength;
  }

  /** Gives the bytes back to the budget. Idempotent. */
  release(): void {
    this.#budget.release(this.#takenBytes);
    this.#takenBytes = 0;
    this.#buffer = undefined;
  }

  #grow(needed: number): void {
    const declared = Math.max(this.#declaredBytes, 0);
    let capacity = needed;
    if (this.#buffer !== undefined) capacity = Math.max(needed, 2 * this.#buffer.byteLength);
    else if (declared > needed || this.#declaredBytes < 0) capacity = Math.max(needed, FIRST_BYTES);
    // Never beyond what was declared, unless the declaration lied; never beyond the limit.
    if (declared >= needed) capacity = Math.min(capacity, declared);
    capacity = Math.min(capacity, this.#maxBytes);
    // A body that comes in one small chunk is the common case: 1-byte chunks without a length start small as well.
    if (this.#declaredBytes < 0 && this.#buffer === undefined) capacity = Math.min(capacity, Math.max(needed, 1024));
    this.#budget.acquire(capacity - this.#takenBytes);
    this.#takenBytes = capacity;
    const grown = new Uint8Array(capacity);
    if (this.#buffer !== undefined) grown.set(this.#buffer.subarray(0, this.#filledBytes));
    this.#buffer = grown;
  }
}

const EMPTY = new Uint8Array(0);

/** The error of a body over the limit; `declaredBytes` where the client said how long it is. */
export function bodyTooLarge(maxBytes: number, declaredBytes: number | undefined): ServingError {
  const came = declaredBytes === undefined ? 'more came' : `Content-Length is ${declaredBytes}`;
  return new ServingError('BODY_TOO_LARGE', `the request body may have at most ${maxBytes} bytes, ${came}`);
}
