import { LARGEST_BYTES, slotBytesOf } from './size-class.js';

/**
 * One part of the arena's memory, cut into slots of one size while it has any in use. Slots are taken from the last freed
 * one on, so that what is used is warm in the caches and what is not stays untouched.
 */
export class Region {
  readonly #memory: Uint8Array;
  /** Views of slots, made when a slot is first used. */
  readonly #slots: Uint8Array[] = [];
  /** Slots that were used and are free, the one freed last at the end. */
  readonly #free: number[] = [];
  #sizeClass = 0;
  #slotBytes = LARGEST_BYTES;
  #used = 0;
  /** Bytes from the start that may have pages of the system; what lies behind was never written, or was given back. */
  #touchedBytes = 0;
  /** The first `#idle` free slots were not used since the last `giveBack`; of those the first `#clean` have no pages. */
  #idle = 0;
  #clean = 0;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  get sizeClass(): number {
    return this.#sizeClass;
  }

  get empty(): boolean {
    return this.#used === 0;
  }

  get full(): boolean {
    return this.#free.length === 0 && (this.#slots.length + 1) * this.#slotBytes > LARGEST_BYTES;
  }

  /** True where some of it holds pages of the system that nobody uses. */
  get dirty(): boolean {
    return this.#clean < this.#free.length || this.#touchedBytes > this.#slots.length * this.#slotBytes;
  }

  /** Cuts an empty region into slots of a class. */
  dedicate(sizeClass: number): void {
    this.#touchedBytes = Math.max(this.#touchedBytes, this.#slots.length * this.#slotBytes);
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#idle = 0;
    this.#clean = 0;
    this.#sizeClass = sizeClass;
    this.#slotBytes = slotBytesOf(sizeClass);
  }

  /** Takes a slot of a region that is not full. */
  take(): number {
    this.#used++;
    const freed = this.#free.pop();
    if (freed !== undefined) {
      const left = this.#free.length;
      if (left < this.#idle) this.#idle = left;
      if (left < this.#clean) this.#clean = left;
      return freed;
    }
    const start = this.#slots.length * this.#slotBytes;
    return this.#slots.push(this.#memory.subarray(start, start + this.#slotBytes)) - 1;
  }

  put(slot: number): void {
    this.#used--;
    this.#free.push(slot);
  }

  bytes(slot: number): Uint8Array {
    return this.#slots[slot] as Uint8Array;
  }

  /** Gives back the pages that were not used since it was last called. */
  giveBack(giveBackPages: (memory: Uint8Array) => void): void {
    const usedBytes = this.#slots.length * this.#slotBytes;
    if (this.#touchedBytes > usedBytes) giveBackPages(this.#memory.subarray(usedBytes, this.#touchedBytes));
    this.#touchedBytes = 0;
    if (this.#idle > this.#clean) this.#giveBackSlots(giveBackPages);
    this.#idle = this.#free.length;
  }

  /** Neighbours together: several small slots share a page. */
  #giveBackSlots(giveBackPages: (memory: Uint8Array) => void): void {
    const idle = this.#free.slice(this.#clean, this.#idle).sort((a, b) => a - b);
    for (let from = 0; from < idle.length; ) {
      let to = from + 1;
      while (to < idle.length && idle[to] === (idle[to - 1] as number) + 1) to++;
      const start = (idle[from] as number) * this.#slotBytes;
      giveBackPages(this.#memory.subarray(start, start + (to - from) * this.#slotBytes));
      from = to;
    }
    this.#clean = this.#idle;
  }
}
