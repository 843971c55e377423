import { type ByteCopy, type Lease, type LeaseSource, ServingError, setBytes } from '../../../core/index.js';
import type { ByteBudget } from '../byte-budget.js';

/** Of garbage-collected memory, whatever length was declared. */
const FIRST_BYTES = 64 * 1024;
/** Of a slot, whatever length was declared: a slot has no memory but where it was written. */
const FIRST_SLOT_BYTES = 1024 * 1024;
/** Where the first binary tensor shall begin: what ONNX Runtime's kernels like best, and more than any element needs. */
const ALIGNMENT = 64;

/** What the head of a request says of its body, and what takes it up. */
export interface BodyOptions {
  readonly budget: ByteBudget;
  /** Slots for bodies; undefined: garbage-collected memory, whose whole buffer can be handed to another thread. */
  readonly memory: LeaseSource | undefined;
  readonly maxBytes: number;
  /** -1: not declared. */
  readonly declaredBytes: number;
  /** Bytes before the first binary tensor. */
  readonly jsonBytes: number;
}

/**
 * Gathers a body from its chunks. Never takes more memory than 64 KiB or twice what has arrived, whatever length was
 * declared; what it holds is taken from the server's budget until `release`.
 */
export class BodyBuffer {
  readonly #options: BodyOptions;
  readonly #copy: ByteCopy;
  #lease: Lease | undefined;
  #buffer: Uint8Array | undefined;
  /** Where the body begins in the buffer, so that its tensors are aligned. */
  #start = 0;
  #filledBytes = 0;
  #takenBytes = 0;

  constructor(options: BodyOptions) {
    this.#options = options;
    this.#copy = options.memory?.copy ?? setBytes;
  }

  /** What `bytes` lies in, where it is a slot; the body's until `release`. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /**
   * Copies a chunk (the library takes its memory back after the callback). Throws `BODY_TOO_LARGE`, `OVERLOADED`.
   */
  append(chunk: ArrayBuffer, isLast: boolean): void {
    const { maxBytes } = this.#options;
    const needed = this.#filledBytes + chunk.byteLength;
    if (needed > maxBytes) throw bodyTooLarge(maxBytes, undefined);
    let buffer = this.#buffer;
    if (buffer === undefined || this.#start + needed > buffer.byteLength) buffer = this.#grow(needed, isLast);
    if (this.#lease !== undefined) this.#take(needed);
    this.#copy(buffer, this.#start + this.#filledBytes, chunk);
    this.#filledBytes = needed;
  }

  /** Takes a body that comes in one chunk and is read at once: only its bytes are counted. Throws as `append`. */
  count(chunk: ArrayBuffer): void {
    const { maxBytes } = this.#options;
    if (chunk.byteLength > maxBytes) throw bodyTooLarge(maxBytes, undefined);
    this.#take(chunk.byteLength);
  }

  get empty(): boolean {
    return this.#filledBytes === 0;
  }

  /** What has arrived; valid until `release`. */
  bytes(): Uint8Array {
    return this.#buffer === undefined ? EMPTY : this.#buffer.subarray(this.#start, this.#start + this.#filledBytes);
  }

  /** What has arrived, in an ArrayBuffer of its own that may be transferred to another thread. */
  ownedBytes(): Uint8Array {
    const bytes = this.bytes();
    return this.#lease === undefined && bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  }

  /** Holds other bytes from now on (the same body, decompressed). Throws `OVERLOADED`. */
  replace(bytes: Uint8Array): void {
    this.release();
    this.#take(bytes.byteLength);
    this.#buffer = bytes;
    this.#start = 0;
    this.#filledBytes = bytes.byteLength;
  }

  /** Gives the memory back, and the bytes to the budget. Idempotent. */
  release(): void {
    this.#options.budget.release(this.#takenBytes);
    this.#takenBytes = 0;
    this.#buffer = undefined;
    this.#lease?.release();
    this.#lease = undefined;
  }

  #take(bytes: number): void {
    this.#options.budget.acquire(bytes - this.#takenBytes);
    this.#takenBytes = bytes;
  }

  #grow(needed: number, isLast: boolean): Uint8Array {
    const { memory, jsonBytes } = this.#options;
    const start = (ALIGNMENT - (jsonBytes % ALIGNMENT)) % ALIGNMENT;
    // Room for more to come may be more than the largest slot, where what has come still fits.
    const roomy = isLast ? needed : this.#capacity(needed, FIRST_SLOT_BYTES);
    const lease = memory?.lease(start + roomy) ?? memory?.lease(start + needed);
    let grown: Uint8Array;
    if (lease === undefined) {
      const capacity = isLast ? needed : this.#capacity(needed, FIRST_BYTES);
      this.#take(capacity);
      grown = new Uint8Array(capacity);
    } else grown = lease.bytes;
    const newStart = lease === undefined ? 0 : start;
    if (this.#filledBytes > 0) this.#copy(grown, newStart, this.bytes());
    this.#lease?.release();
    this.#lease = lease;
    this.#buffer = grown;
    this.#start = newStart;
    return grown;
  }

  #capacity(needed: number, firstBytes: number): number {
    const { declaredBytes, maxBytes } = this.#options;
    let capacity = this.#buffer === undefined ? firstBytes : 2 * this.#buffer.byteLength;
    // Without a length a body of 1-byte chunks starts small.
    if (declaredBytes < 0 && this.#buffer === undefined) capacity = Math.min(capacity, Math.max(1024, 16 * needed));
    // Never beyond what was declared, unless the declaration lied; never beyond the limit.
    if (declaredBytes >= needed) capacity = Math.min(capacity, declaredBytes);
    return Math.min(Math.max(capacity, needed), maxBytes);
  }
}

const EMPTY = new Uint8Array(0);

/** The error of a body over the limit; `declaredBytes` where the client said how long it is. */
export function bodyTooLarge(maxBytes: number, declaredBytes: number | undefined): ServingError {
  const came = declaredBytes === undefined ? 'more came' : `Content-Length is ${declaredBytes}`;
  return new ServingError('BODY_TOO_LARGE', `the request body may have at most ${maxBytes} bytes, ${came}`);
}
