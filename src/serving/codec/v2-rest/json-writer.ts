import type { ReplyRoom } from '../reply-room.js';

/** A scratch buffer past this size is dropped after use, so that one large reply does not stay in memory. */
const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * Grows one buffer that JSON text is written into; reused from reply to reply (encoding is synchronous and never nested).
 * Element writers take `bytes` after `reserve` and put `at` back themselves.
 */
export class JsonWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  at = 0;

  /** Room for `more` bytes from `at`. */
  reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  text(text: string): void {
    this.reserve(text.length * 3);
    this.at += this.bytes.write(text, this.at, 'utf8');
  }

  /** Text that is bytes already. */
  raw(text: Uint8Array): void {
    this.reserve(text.byteLength);
    this.bytes.set(text, this.at);
    this.at += text.byteLength;
  }

  /** The text so far followed by `tail` bytes for the caller to fill, in the room for it; starts anew. */
  take(tail: number, room: ReplyRoom): Buffer {
    const body = room.place(this.at + tail);
    room.copy(body, 0, this.bytes.subarray(0, this.at));
    this.reset();
    return body;
  }

  /** Forgets what was written. */
  reset(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(64 * 1024);
  }
}

const PLAIN = /^[ !#-[\]-~]*$/;

/** A JSON string literal. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
