/** Tensors start at multiples of this: a cache line, and more than any element needs. */
const ALIGNMENT = 64;
const LEAST_BYTES = 4096;

/** Shared memory of one side of a lane; it grows to what the largest batch took and stays. */
export class SharedMemory {
  #buffer = new SharedArrayBuffer(0);
  #bytes = new Uint8Array(this.#buffer);
  #sent: SharedArrayBuffer | undefined;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Makes room for `bytes`; what lay there is lost. Throws `RangeError` where there is no memory. */
  reserve(bytes: number): void {
    if (bytes <= this.#buffer.byteLength) return;
    // By half more than asked, so that a slowly growing batch does not move at every run.
    this.#buffer = new SharedArrayBuffer(Math.max(LEAST_BYTES, alignUp(bytes * 1.5)));
    this.#bytes = new Uint8Array(this.#buffer);
  }

  /** Goes on with memory that the other side gave. */
  adopt(buffer: SharedArrayBuffer): void {
    this.#buffer = this.#sent = buffer;
    this.#bytes = new Uint8Array(buffer);
  }

  /** The memory to send along: undefined where the other side has it. */
  toSend(): SharedArrayBuffer | undefined {
    if (this.#sent === this.#buffer) return undefined;
    this.#sent = this.#buffer;
    return this.#buffer;
  }
}

/** The next place where a tensor may start. */
export function alignUp(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}
