import { type ByteCopy, type Lease, type LeaseSource, ServingError, setBytes } from '../../../../core/index.js';
import { FRAME_HEAD_BYTES } from './frame.js';

/** Reserved for a message at first, whatever length it declares: what the window lets a client send anyway. */
const FIRST_BYTES = 1024 * 1024;

/** A message below this is copied, so that a request that waits does not hold the whole read it came with. */
const COPIED_BYTES = 4096;

/** A tensor's bytes mostly end where the message does: the end lies at such a boundary, so their start lies at an element's. */
const ALIGNMENT = 64;

/**
 * Messages out of the chunks of a call, pulled one at a time so that a call can stop in the middle of a chunk. A message
 * may begin and end anywhere in a chunk, its head included.
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #memory: LeaseSource | undefined;
  readonly #copy: ByteCopy;
  #chunk: Buffer | undefined;
  #at = 0;
  #headFilled = 0;
  #flag = 0;
  #length = 0;
  #message: Buffer | undefined;
  /** What the message lies in, while it is gathered in pooled memory. */
  #slot: Lease | undefined;
  #filled = 0;
  /** Of the message that `next` gave last. */
  compressed = false;
  /** What the message that `next` gave last lies in, the caller's to release; undefined: garbage-collected memory. */
  lease: Lease | undefined;

  /** `memory`: where messages that span chunks are gathered; compressed ones, which are read once, never are. */
  constructor(maxBytes: number, memory?: LeaseSource | undefined) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
    this.#copy = memory?.copy ?? setBytes;
  }

  /** Forgets a message that is not whole. */
  release(): void {
    this.#slot?.release();
    this.#slot = undefined;
    this.#message = undefined;
  }

  /** Takes over a chunk; the buffer is not copied before it is read. */
  push(chunk: Buffer): void {
    this.#chunk = this.#chunk === undefined ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** True where a message has begun and not ended. */
  get insideMessage(): boolean {
    return this.#headFilled > 0 || this.#chunk !== undefined;
  }

  /**
   * The next whole message, or undefined until more has come. The bytes are the caller's: nothing here writes to them
   * again. Throws BODY_TOO_LARGE as soon as a head declares too much, MALFORMED_REQUEST for a head that is none.
   */
  next(): Buffer | undefined {
    this.lease = undefined;
    const chunk = this.#chunk;
    if (chunk === undefined || !this.#readHead(chunk)) return undefined;
    const missing = this.#length - this.#filled;
    const available = chunk.byteLength - this.#at;
    if (this.#message === undefined && available >= missing) {
      const view = chunk.subarray(this.#at, this.#at + missing);
      this.#advance(chunk, missing);
      return this.#complete(missing < COPIED_BYTES && missing < chunk.byteLength / 2 ? Buffer.from(view) : view);
    }
    const taken = Math.min(missing, available);
    const message = this.#room(taken);
    this.#copy(message, this.#filled, chunk.subarray(this.#at, this.#at + taken));
    this.#filled += taken;
    this.#advance(chunk, taken);
    return taken === missing ? this.#complete(message) : undefined;
  }

  /** True when the head is whole. */
  #readHead(chunk: Buffer): boolean {
    if (this.#headFilled === FRAME_HEAD_BYTES) return true;
    while (this.#headFilled < FRAME_HEAD_BYTES) {
      if (this.#at === chunk.byteLength) {
        this.#chunk = undefined;
        return false;
      }
      const byte = chunk[this.#at++] as number;
      if (this.#headFilled === 0) this.#flag = byte;
      else this.#length = this.#length * 256 + byte;
      this.#headFilled++;
    }
    if (this.#flag > 1)
      throw new ServingError('MALFORMED_REQUEST', `a message begins with the flag ${this.#flag}; expected 0 or 1`);
    if (this.#length > this.#maxBytes)
      throw new ServingError(
        'BODY_TOO_LARGE',
        `a message may have at most ${this.#maxBytes} bytes, not ${this.#length}`,
      );
    return true;
  }

  #advance(chunk: Buffer, bytes: number): void {
    this.#at += bytes;
    if (this.#at === chunk.byteLength) this.#chunk = undefined;
  }

  /** The message's buffer with room for `bytes` more: never more than the window or twice what has come. */
  #room(bytes: number): Buffer {
    const needed = this.#filled + bytes;
    const old = this.#message;
    if (old !== undefined && old.byteLength >= needed) return old;
    const wanted = old === undefined ? Math.max(FIRST_BYTES, needed) : Math.max(2 * old.byteLength, needed);
    const capacity = Math.min(this.#length, wanted);
    const start = (ALIGNMENT - (this.#length % ALIGNMENT)) % ALIGNMENT;
    const slot = this.#flag === 0 ? this.#memory?.lease(start + capacity) : undefined;
    const grown =
      slot === undefined
        ? Buffer.allocUnsafeSlow(capacity)
        : Buffer.from(slot.bytes.buffer, slot.bytes.byteOffset + start, capacity);
    if (old !== undefined) this.#copy(grown, 0, old.subarray(0, this.#filled));
    this.#slot?.release();
    this.#slot = slot;
    this.#message = grown;
    return grown;
  }

  #complete(message: Buffer): Buffer {
    this.compressed = this.#flag === 1;
    this.#headFilled = 0;
    this.#length = 0;
    this.#message = undefined;
    this.#filled = 0;
    this.lease = this.#slot;
    this.#slot = undefined;
    return message;
  }
}
