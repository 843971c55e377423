/** Words before the entries: where the consumer is, where the producer is (each on a cache line of its own), and the bell. */
const HEAD = 0;
const TAIL = 16;
const ASLEEP = 32;
const ENTRIES = 48;

/**
 * First in, first out, from one thread to one other: small numbers (0 to 2^31 - 1) in shared memory. Nothing blocks. What
 * the producer wrote anywhere in shared memory before `push` is seen by the consumer after the `pop` that gives the number.
 */
export class HandleRing {
  readonly #words: Int32Array;
  readonly #mask: number;

  /** Bytes of shared memory that a ring of `capacity` numbers (a power of two) takes. */
  static bytes(capacity: number): number {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) throw new Error(`${capacity} is not a power of two`);
    return (ENTRIES + capacity) * Int32Array.BYTES_PER_ELEMENT;
  }

  /** Over memory of `bytes(capacity)`, zeroed when the ring begins; each side makes its own object. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#mask = this.#words.length - ENTRIES - 1;
    HandleRing.bytes(this.#mask + 1);
  }

  get capacity(): number {
    return this.#mask + 1;
  }

  /** Producer. False where the ring is full: nothing was put in. */
  push(handle: number): boolean {
    const words = this.#words;
    const tail = words[TAIL] as number;
    if (((tail - Atomics.load(words, HEAD)) | 0) > this.#mask) return false;
    words[ENTRIES + (tail & this.#mask)] = handle;
    Atomics.store(words, TAIL, (tail + 1) | 0);
    return true;
  }

  /** Consumer. -1 where the ring is empty. */
  pop(): number {
    const words = this.#words;
    const head = words[HEAD] as number;
    if (head === Atomics.load(words, TAIL)) return -1;
    const handle = words[ENTRIES + (head & this.#mask)] as number;
    Atomics.store(words, HEAD, (head + 1) | 0);
    return handle;
  }

  /** Consumer, when it found the ring empty: asks to be woken. False where something came meanwhile: pop again. */
  sleep(): boolean {
    const words = this.#words;
    Atomics.store(words, ASLEEP, 1);
    if ((words[HEAD] as number) === Atomics.load(words, TAIL)) return true;
    Atomics.store(words, ASLEEP, 0);
    return false;
  }

  /** Producer, after it pushed: whether the consumer sleeps and has to be woken, told once for each sleep. */
  takeWake(): boolean {
    return Atomics.load(this.#words, ASLEEP) === 1 && Atomics.exchange(this.#words, ASLEEP, 0) === 1;
  }
}
