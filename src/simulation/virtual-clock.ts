import type { Clock, ClockTimer } from '../core/index.js';

interface Entry {
  readonly atNs: number;
  readonly order: number;
  readonly fire: () => void;
  live: boolean;
}

/**
 * Time that moves only when it is told to. Timers fire in order of their instant, then in the order they were set, with
 * `nowNs` at exactly their instant (or at the present one, where a timer was set for the past).
 */
export class VirtualClock implements Clock {
  #nowNs: number;
  readonly #wallStartMs: number;
  #order = 0;
  /** Binary heap by instant, then by order. */
  readonly #heap: Entry[] = [];
  #liveTimers = 0;

  constructor(startNs = 0, wallStartMs = 1_700_000_000_000) {
    this.#nowNs = startNs;
    this.#wallStartMs = wallStartMs;
  }

  nowNs(): number {
    return this.#nowNs;
  }

  wallMs(): number {
    return this.#wallStartMs + Math.floor(this.#nowNs / 1e6);
  }

  setTimer(atNs: number, fire: () => void): ClockTimer {
    if (Number.isNaN(atNs)) throw new Error('a timer needs an instant');
    const entry: Entry = { atNs, order: this.#order++, fire, live: true };
    // A deadline that never comes needs no place, but it counts as a timer that someone must clear.
    if (atNs !== Number.POSITIVE_INFINITY) this.#push(entry);
    this.#liveTimers++;
    return {
      clear: () => {
        if (!entry.live) return;
        entry.live = false;
        this.#liveTimers--;
      },
    };
  }

  /** Timers set and neither fired nor cleared. */
  get timers(): number {
    return this.#liveTimers;
  }

  /** Instant of the next timer, or undefined where none is set. */
  nextTimerNs(): number | undefined {
    this.#dropCleared();
    return this.#heap[0]?.atNs;
  }

  /** Moves on by `ns` and fires what becomes due on the way, timers set meanwhile included. */
  advance(ns: number): void {
    this.advanceTo(this.#nowNs + ns);
  }

  advanceTo(atNs: number): void {
    if (atNs < this.#nowNs) throw new Error(`the clock stands at ${this.#nowNs} ns and cannot go back to ${atNs} ns`);
    for (let next = this.nextTimerNs(); next !== undefined && next <= atNs; next = this.nextTimerNs()) this.fireNext();
    this.#nowNs = Math.max(this.#nowNs, atNs);
  }

  /** Passes time in which something runs: what becomes due meanwhile fires later. */
  work(ns: number): void {
    this.#nowNs += ns;
  }

  /** Jumps to the next timer and fires it; false where there is none. */
  fireNext(): boolean {
    this.#dropCleared();
    const entry = this.#pop();
    if (entry === undefined) return false;
    this.#nowNs = Math.max(this.#nowNs, entry.atNs);
    entry.live = false;
    this.#liveTimers--;
    entry.fire();
    return true;
  }

  /**
   * Fires timer after timer until `done` says so (checked before each one). Throws where no timer is left or `limit` were
   * fired, so that a test that would never end fails instead.
   */
  runUntil(done: () => boolean, limit = 1_000_000): void {
    for (let fired = 0; !done(); fired++) {
      if (fired >= limit) throw new Error(`not done after ${limit} timers`);
      if (!this.fireNext()) throw new Error('not done, and no timer is left');
    }
  }

  #dropCleared(): void {
    while (this.#heap.length > 0 && !(this.#heap[0] as Entry).live) this.#pop();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!before(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atNs !== b.atNs ? a.atNs < b.atNs : a.order < b.order;
}
