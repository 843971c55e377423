import {
  type ByteCopy,
  type Clock,
  type ClockTimer,
  type Lease,
  type LeaseSource,
  setBytes,
} from '../../core/index.js';
import { Region } from './region.js';
import { LARGEST_BYTES, SIZE_CLASSES, sizeClassOf } from './size-class.js';

export interface ArenaOptions {
  /**
   * The arena's memory: a view of one SharedArrayBuffer that starts at a 64-byte boundary (better at a page's) of the
   * process. Only what is leased is ever touched, so it may be reserved without having pages. Used in regions of 16 MiB;
   * a rest is left alone.
   */
  readonly memory: Uint8Array<SharedArrayBuffer>;
  readonly clock: Clock;
  /** Gives the pages that lie wholly in `memory` back to the system; their contents are lost. Default: they are kept. */
  readonly giveBackPages?: (memory: Uint8Array) => void;
  /** Copies to and from shared memory; default: as JavaScript does, which is slow where the two sides are aligned differently. */
  readonly copy?: ByteCopy;
  /** Memory that was not used for one to two such periods is given back; default 10000. */
  readonly idleMs?: number;
  /** For tests: fills a slot that is freed with this byte, so that a reader who holds no reference reads it. */
  readonly poison?: number;
}

/** Where leased bytes lie: all that another thread needs which has the arena's SharedArrayBuffer. */
export interface ArenaPlace {
  /** From the start of the SharedArrayBuffer. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Pooled memory of one thread: slots of 256 bytes to 16 MiB in one SharedArrayBuffer, leased and freed in constant time.
 * Other threads may read and write the bytes of a lease; only the thread that made the arena leases and releases.
 */
export class Arena implements LeaseSource {
  readonly copy: ByteCopy;
  readonly #options: ArenaOptions;
  /** By class: the regions with free slots, filled from the first one on. */
  readonly #open: Region[][] = Array.from({ length: SIZE_CLASSES }, () => []);
  /** Regions of no class. */
  readonly #spare: Region[];
  readonly #regions: readonly Region[];
  readonly #poison: number;
  #timer: ClockTimer | undefined;
  #leases = 0;

  constructor(options: ArenaOptions) {
    this.#options = options;
    const { memory, poison = -1 } = options;
    this.copy = options.copy ?? setBytes;
    const count = Math.floor(memory.byteLength / LARGEST_BYTES);
    this.#regions = Array.from(
      { length: count },
      (_, i) => new Region(memory.subarray(i * LARGEST_BYTES, (i + 1) * LARGEST_BYTES)),
    );
    this.#spare = this.#regions.slice().reverse();
    this.#poison = poison;
  }

  /** The memory that places are in. */
  get buffer(): SharedArrayBuffer {
    return this.#options.memory.buffer;
  }

  /** Leases that are not released. */
  get leases(): number {
    return this.#leases;
  }

  lease(bytes: number): Lease | undefined {
    if (bytes > LARGEST_BYTES) return undefined;
    const sizeClass = sizeClassOf(bytes);
    const open = this.#open[sizeClass] as Region[];
    const region = open[0] ?? this.#dedicate(sizeClass);
    if (region === undefined) return undefined;
    const slot = region.take();
    if (region.full) open.shift();
    this.#leases++;
    return new ArenaLease(this, region, slot);
  }

  describe(lease: Lease): ArenaPlace {
    return { offset: lease.bytes.byteOffset, bytes: lease.bytes.byteLength };
  }

  /** Stops the clock's timer; what is leased stays valid. */
  close(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  /** Called by a lease, when its last reference is gone. */
  free(region: Region, slot: number): void {
    if (this.#poison >= 0) region.bytes(slot).fill(this.#poison);
    this.#leases--;
    const open = this.#open[region.sizeClass] as Region[];
    if (region.full) open.push(region);
    region.put(slot);
    // One region stays with its class: the next lease of that size finds warm slots.
    if (region.empty && open.length > 1) this.#retire(region, open);
    if (this.#timer === undefined && this.#options.giveBackPages !== undefined) this.#arm();
  }

  /** A region for a class that has none with free slots: a spare one, or one that is empty in another class. */
  #dedicate(sizeClass: number): Region | undefined {
    if (this.#spare.length === 0) this.#takeEmpty();
    const region = this.#spare.pop();
    if (region === undefined) return undefined;
    region.dedicate(sizeClass);
    (this.#open[sizeClass] as Region[]).push(region);
    return region;
  }

  #takeEmpty(): void {
    for (const open of this.#open) {
      const empty = open.find((region) => region.empty);
      if (empty === undefined) continue;
      this.#retire(empty, open);
      return;
    }
  }

  #retire(region: Region, open: Region[]): void {
    open.splice(open.indexOf(region), 1);
    this.#spare.push(region);
  }

  #arm(): void {
    const { clock, idleMs = 10_000 } = this.#options;
    this.#timer = clock.setTimer(clock.nowNs() + idleMs * 1e6, () => this.#giveBack());
  }

  #giveBack(): void {
    this.#timer = undefined;
    const { giveBackPages } = this.#options;
    if (giveBackPages === undefined) return;
    let dirty = false;
    for (const region of this.#regions) {
      region.giveBack(giveBackPages);
      if (region.dirty) dirty = true;
    }
    // At rest there is no timer: the next release sets one.
    if (dirty) this.#arm();
  }
}

class ArenaLease implements Lease {
  readonly #arena: Arena;
  readonly #region: Region;
  readonly #slot: number;
  #references = 1;

  constructor(arena: Arena, region: Region, slot: number) {
    this.#arena = arena;
    this.#region = region;
    this.#slot = slot;
  }

  get bytes(): Uint8Array {
    if (this.#references === 0) throw new Error("the lease has ended: its bytes are somebody else's");
    return this.#region.bytes(this.#slot);
  }

  retain(): void {
    if (this.#references === 0) throw new Error('the lease has ended: it cannot be retained');
    this.#references++;
  }

  release(): void {
    if (this.#references === 0) throw new Error('the lease was released more often than retained');
    this.#references--;
    if (this.#references === 0) this.#arena.free(this.#region, this.#slot);
  }
}
