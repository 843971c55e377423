import type { DecisionRecord } from '../../core/index.js';
import type { Why } from './scheduling-view.js';

const ENTRIES = 64;

interface Slot {
  atNs: number;
  kind: DecisionRecord['kind'];
  why: Why;
  rows: number;
  waiting: number;
  freeSlots: number;
  waitNs: number;
}

/** The last decisions, in a ring of objects that are filled again and again: nothing is allocated for a decision. */
export class DecisionLog {
  readonly #ring: Slot[] = [];
  #count = 0;

  add(
    atNs: number,
    kind: DecisionRecord['kind'],
    why: Why,
    rows: number,
    waiting: number,
    freeSlots: number,
    waitNs = 0,
  ): void {
    const last = this.#ring[(this.#count - 1) % ENTRIES];
    // A wait is decided again whenever a request comes, and refusals come in swarms: the newest tells it all.
    const again = last !== undefined && kind !== 'run' && last.kind === kind && last.why === why;
    const slot = again ? last : this.#next();
    slot.atNs = atNs;
    slot.kind = kind;
    slot.why = why;
    slot.rows = rows;
    slot.waiting = waiting;
    slot.freeSlots = freeSlots;
    slot.waitNs = waitNs;
  }

  /** The newest first. */
  records(nowNs: number): DecisionRecord[] {
    const records: DecisionRecord[] = [];
    for (let i = this.#count - 1; i >= 0 && i >= this.#count - ENTRIES; i--) {
      const { atNs, waitNs, ...told } = this.#ring[i % ENTRIES] as Slot;
      const waitMs = told.kind === 'wait' ? waitNs / 1e6 : undefined;
      records.push({ agoMs: (nowNs - atNs) / 1e6, ...told, waitMs });
    }
    return records;
  }

  #next(): Slot {
    const at = this.#count++ % ENTRIES;
    let slot = this.#ring[at];
    if (slot === undefined) {
      slot = { atNs: 0, kind: 'run', why: 'an instance is free', rows: 0, waiting: 0, freeSlots: 0, waitNs: 0 };
      this.#ring.push(slot);
    }
    return slot;
  }
}
