import type { FileHandle } from 'node:fs/promises';

const WINDOW_BYTES = 256 * 1024;

/**
 * A moving window over a file, so that a file of any size is walked in fixed memory. `ensure` reads; the other methods
 * are synchronous and need what they read to be ensured first.
 */
export class FileWindow {
  readonly #file: FileHandle;
  readonly sizeBytes: number;
  readonly #bytes = new Uint8Array(WINDOW_BYTES);
  #start = 0;
  #end = 0;
  /** Offset in the file of the next byte. */
  at = 0;

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  /** True where the next `count` bytes (or all that are left) lie in the window. */
  has(count: number): boolean {
    return this.at >= this.#start && Math.min(this.at + count, this.sizeBytes) <= this.#end;
  }

  /** Moves the window so that `has(count)` holds; `count` is at most the window's size. Rejects where the file shrank. */
  async ensure(count: number): Promise<void> {
    if (this.has(count)) return;
    this.#start = this.at;
    this.#end = this.at;
    const wanted = Math.min(WINDOW_BYTES, this.sizeBytes - this.at);
    while (this.#end - this.#start < wanted) {
      const filled = this.#end - this.#start;
      const { bytesRead } = await this.#file.read(this.#bytes, filled, wanted - filled, this.#end);
      if (bytesRead === 0) throw new Error('the file became shorter while it was read');
      this.#end += bytesRead;
    }
  }

  /** A protobuf varint as a double (exact to 2^53), or -1 where it is malformed or runs past `end`. */
  varint(end: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= end) return -1;
      const byte = this.#bytes[this.at++ - this.#start] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return -1;
  }

  /** The next `count` bytes as UTF-8 text. */
  text(count: number): string {
    const from = this.at - this.#start;
    this.at += count;
    return Buffer.from(this.#bytes.buffer, from, count).toString('utf8');
  }
}
