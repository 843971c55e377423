import { type ByteCopy, type Lease, type LeaseSource, setBytes } from '../../core/index.js';
import type { ReplyRoom } from '../codec/index.js';

/** Replies up to this size are handed to the socket before anything else happens, which takes them or copies them. */
export const AT_ONCE_BYTES = 8 * 1024;

/**
 * Where the replies of one server are encoded: small ones into one buffer that is used again, the others into pooled memory,
 * or garbage-collected where there is none.
 */
export class ReplyMemory implements ReplyRoom {
  readonly copy: ByteCopy;
  readonly #memory: LeaseSource | undefined;
  readonly #scratch = Buffer.allocUnsafeSlow(AT_ONCE_BYTES);
  #lease: Lease | undefined;

  constructor(memory: LeaseSource | undefined) {
    this.#memory = memory;
    this.copy = memory?.copy ?? setBytes;
  }

  /** Room for the next reply. One at a time: up to `AT_ONCE_BYTES` it is the room of the reply after it as well. */
  place(bytes: number): Buffer {
    // Where an encoder failed behind its place, nobody took the lease.
    this.takeLease()?.release();
    if (bytes <= AT_ONCE_BYTES) return this.#scratch.subarray(0, bytes);
    this.#lease = this.#memory?.lease(bytes);
    if (this.#lease === undefined) return Buffer.allocUnsafeSlow(bytes);
    const { buffer, byteOffset } = this.#lease.bytes;
    return Buffer.from(buffer, byteOffset, bytes);
  }

  /** What the last place lies in, from now on the caller's; undefined: the buffer of small replies, or garbage-collected. */
  takeLease(): Lease | undefined {
    const lease = this.#lease;
    this.#lease = undefined;
    return lease;
  }
}
