import { type Lease, type Lender, offerToLend } from '../../core/index.js';

/** A buffer up to this size serves any run that fits; a larger one only runs that fill a quarter of it. */
const LOOSE_BYTES = 64 * 1024;
const LOOSE_FACTOR = 4;
/** Buffers that are neither lent nor in use; more are let go. */
const MOST_FREE = 4;

export interface OutputMemory {
  /** All of a buffer that nothing else lies in. */
  readonly bytes: Uint8Array;
}

/** Makes and ends the buffers of one `OutputBuffers`. */
export interface OutputMaker<T extends OutputMemory> {
  /** At least so many bytes. */
  make(bytes: number): T;
  /** It is let go; perhaps more than once, where a reader keeps it after it was. */
  end?(memory: T): void;
}

/**
 * Where one output of a lane lies: in one buffer, run after run, until who reads an output keeps its buffer (`lend`). The lane
 * then goes on with another, and has this one again when it is given back. So an intermediate tensor of an ensemble is never
 * copied to be kept. One reader that keeps a part of a batch's output keeps all of its buffer.
 */
export class OutputBuffers<T extends OutputMemory> {
  readonly #maker: OutputMaker<T>;
  readonly #free: Buffered<T>[] = [];
  #now: Buffered<T> | undefined;
  #closed = false;

  constructor(maker: OutputMaker<T>) {
    this.#maker = maker;
  }

  /** Of the run in hand, or the last one; undefined: it is lent, or there was none. */
  get now(): T | undefined {
    return this.#now?.memory;
  }

  /** Memory for a run of so many bytes; it stays `now` until the next `take`, unless it is lent. */
  take(bytes: number): T {
    const { memory } = this.#now !== undefined && suits(this.#now, bytes) ? this.#now : this.#change(bytes);
    return memory;
  }

  /** Any buffer that is free, the largest; undefined where none is. It is `now` then. */
  takeLargest(): T | undefined {
    this.#putAside();
    let largest = this.#free[0];
    for (const one of this.#free) if (largest !== undefined && size(one) > size(largest)) largest = one;
    if (largest !== undefined) this.#use(largest);
    return largest?.memory;
  }

  /** Memory that was made elsewhere is `now`; what was before is let go. */
  replace(memory: T): void {
    const before = this.#now;
    this.#now = new Buffered(memory, this);
    if (before !== undefined) this.#maker.end?.(before.memory);
  }

  /** Ends all buffers; those that are lent when they come back. */
  close(): void {
    this.#closed = true;
    this.#putAside();
    for (const { memory } of this.#free.splice(0)) this.#maker.end?.(memory);
  }

  /** Called by a buffer that nobody held until now. */
  leaves(one: Buffered<T>): void {
    if (this.#now === one) this.#now = undefined;
    // A reader before has given it back already, while its views are still valid.
    else this.#takeFree(one);
  }

  /** Called by a buffer that nobody holds any more. */
  comesBack(one: Buffered<T>): void {
    if (this.#closed || this.#free.length >= MOST_FREE) this.#maker.end?.(one.memory);
    else this.#free.push(one);
  }

  #change(bytes: number): Buffered<T> {
    this.#putAside();
    let best: Buffered<T> | undefined;
    for (const one of this.#free) if (suits(one, bytes) && (best === undefined || size(one) < size(best))) best = one;
    if (best !== undefined) {
      this.#use(best);
      return best;
    }
    this.#now = new Buffered(this.#maker.make(bytes), this);
    return this.#now;
  }

  #use(one: Buffered<T>): void {
    this.#takeFree(one);
    this.#now = one;
  }

  #takeFree(one: Buffered<T>): void {
    const at = this.#free.indexOf(one);
    if (at >= 0) this.#free.splice(at, 1);
  }

  #putAside(): void {
    const one = this.#now;
    this.#now = undefined;
    if (one !== undefined) this.comesBack(one);
  }
}

function size({ bytes }: Buffered<OutputMemory>): number {
  return bytes.byteLength;
}

function suits(one: Buffered<OutputMemory>, bytes: number): boolean {
  return bytes <= size(one) && (size(one) <= LOOSE_BYTES || size(one) <= bytes * LOOSE_FACTOR);
}

/** One buffer; while it is lent it is the lease of it. */
class Buffered<T extends OutputMemory> implements Lender, Lease {
  readonly memory: T;
  readonly #home: OutputBuffers<T>;
  #references = 0;

  constructor(memory: T, home: OutputBuffers<T>) {
    this.memory = memory;
    this.#home = home;
    offerToLend(memory.bytes.buffer, this);
  }

  get bytes(): Uint8Array {
    return this.memory.bytes;
  }

  lend(): Lease {
    if (this.#references === 0) this.#home.leaves(this);
    this.#references++;
    return this;
  }

  retain(): void {
    if (this.#references === 0) throw new Error('the lease has ended: it cannot be retained');
    this.#references++;
  }

  release(): void {
    if (this.#references === 0) throw new Error('the lease was released more often than retained');
    if (--this.#references === 0) this.#home.comesBack(this);
  }
}
