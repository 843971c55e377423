import { PlacedSet, type ServingError } from '../../core/index.js';
import type { DueHeap } from './due-heap.js';
import { Entry } from './entry.js';
import type { MemberFailed, MemberOutcome, QueueItem } from './queue-item.js';
import { ReplyOrder } from './reply-order.js';
import type { WaitList } from './wait-list.js';

/** Where an entry may stand when it gets its outcome. */
export interface SettlementPlaces {
  readonly waiting: WaitList;
  readonly due: DueHeap<Entry>;
}

/** The accepted requests, each until it is settled, once: at once, or in its turn where the order of replies is kept. */
export class Settlement {
  readonly #places: SettlementPlaces;
  readonly #entries = new PlacedSet<Entry>();
  readonly #order: ReplyOrder | undefined;
  readonly #onSettled: () => void;

  /** `onSettled` is called after each request that was settled. */
  constructor(places: SettlementPlaces, preserveOrdering: boolean, onSettled: () => void) {
    this.#places = places;
    this.#order = preserveOrdering ? new ReplyOrder() : undefined;
    this.#onSettled = onSettled;
  }

  /** Requests not settled yet. */
  get open(): number {
    return this.#entries.size;
  }

  /** Replies that wait for those before them. */
  get held(): number {
    return this.#order?.held ?? 0;
  }

  add(entry: Entry): void {
    this.#entries.add(entry);
    entry.item.acceptedAs = entry;
    this.#order?.add(entry);
  }

  /** Undefined for what was never accepted, or is settled. */
  find(item: QueueItem): Entry | undefined {
    const { acceptedAs } = item;
    return acceptedAs instanceof Entry && this.#entries.has(acceptedAs) ? acceptedAs : undefined;
  }

  /** As they are now: entries may be settled while the caller walks over them. */
  all(): Entry[] {
    return this.#entries.all();
  }

  /** Settles an entry now, whatever it is doing, out of the order of replies. */
  dismiss(entry: Entry, error: ServingError): void {
    this.#detach(entry);
    this.#order?.remove(entry);
    this.#answer(entry, failedOf(entry, error));
    this.#release();
  }

  /** Takes an entry from wherever it stands and gives it its error. */
  fail(entry: Entry, error: ServingError): void {
    this.#detach(entry);
    this.finish(entry, failedOf(entry, error));
  }

  /** An entry has its outcome: settles it, in its turn where the order of replies is kept. */
  finish(entry: Entry, outcome: MemberOutcome): void {
    this.#places.due.remove(entry);
    entry.batch = undefined;
    if (this.#order !== undefined) {
      if (!this.#order.isNext(entry)) {
        this.#order.hold(entry, outcome);
        return;
      }
      this.#order.remove(entry);
    }
    this.#answer(entry, outcome);
    this.#release();
  }

  /** Takes an entry from wherever it stands; the last one of a batch to go stops the run. */
  #detach(entry: Entry): void {
    const { state, batch } = entry;
    this.#places.due.remove(entry);
    if (state === 'waiting') this.#places.waiting.remove(entry);
    // Before the run is stopped, whose end must find that this one is settled.
    entry.state = 'finished';
    entry.batch = undefined;
    if (state === 'running') batch?.leave();
  }

  /** Settles replies that waited for the one before them. */
  #release(): void {
    if (this.#order === undefined) return;
    for (let entry = this.#order.ready(); entry !== undefined; entry = this.#order.ready()) {
      const { outcome } = entry;
      this.#order.remove(entry);
      if (outcome !== undefined) this.#answer(entry, outcome);
    }
  }

  #answer(entry: Entry, outcome: MemberOutcome): void {
    entry.state = 'settled';
    this.#entries.delete(entry);
    entry.item.acceptedAs = undefined;
    entry.item.settle(outcome);
    this.#onSettled();
  }
}

/** What an entry that failed is told, whatever it was doing. */
export function failedOf({ execution, begunNs }: Entry, error: ServingError): MemberFailed {
  return { kind: 'failed', error, execution, begunNs: execution === 0 ? undefined : begunNs };
}
