import { CRITICALITIES, type Criticality } from '../../core/index.js';
import type { Entry } from './entry.js';
import { Link, LinkedFifo } from './linked-fifo.js';
import { OrderIndex } from './order-index.js';
import type { TenantAccount } from './tenant-account.js';

/** So many are walked over to find a place before the line gets an index. */
const WALKED_AT_MOST = 32;

/** The waiting requests of one tenant at one rank, in the order of service: arrival (`push`) or deadline (`insert`). */
export class TenantLine extends LinkedFifo {
  readonly account: TenantAccount;
  /** Where a walk over several lines has come to in this one. */
  cursor: Link | undefined = undefined;
  #index: OrderIndex | undefined;

  constructor(account: TenantAccount) {
    super();
    this.account = account;
  }

  /** Puts it before those that are wanted later, after those of the same instant. O(log n) where it overtakes many. */
  insert(link: Link): void {
    const { orderNs } = link.entry;
    if (this.#index === undefined) {
      let before = this.tail;
      for (let walked = 0; before !== undefined && before.entry.orderNs > orderNs; walked++) {
        if (walked === WALKED_AT_MOST) {
          this.#index = new OrderIndex(this);
          break;
        }
        before = before.prev;
      }
      if (this.#index === undefined) {
        this.insertAfter(link, before);
        return;
      }
    }
    this.insertAfter(link, this.#index.insert(link));
  }

  override remove(link: Link): void {
    if (this.#index !== undefined) this.#index.remove(link);
    super.remove(link);
    // Most lines come in order and need none.
    if (this.head === undefined) this.#index = undefined;
  }

  /** Rows of those that are wanted later than `orderNs`. */
  rowsAfter(orderNs: number): number {
    let rows = 0;
    let walked = 0;
    for (let link = this.tail; link !== undefined && link.entry.orderNs > orderNs; link = link.prev) {
      if (walked++ === WALKED_AT_MOST) {
        this.#index ??= new OrderIndex(this);
        return this.#index.rowsAfter(orderNs);
      }
      rows += link.entry.rows;
    }
    return rows;
  }
}

/** A tenant's line over all keys, which knows what it holds by how much that matters. */
export class CountedLine extends TenantLine {
  /** Of those that stand in it. */
  requests = 0;
  rows = 0;
  readonly #rowsOf: number[] = CRITICALITIES.map(() => 0);
  /** By criticality; made when first one has to be found among others, as most lines hold one level. */
  #levels: LinkedFifo[] | undefined;

  /** Notes that `entry` stands in it now. */
  count(entry: Entry): void {
    this.requests++;
    this.rows += entry.rows;
    this.#rowsOf[entry.criticality] = (this.#rowsOf[entry.criticality] as number) + entry.rows;
    if (this.#levels !== undefined) this.#file(this.#levels, entry);
  }

  discount(entry: Entry): void {
    this.requests--;
    this.rows -= entry.rows;
    this.#rowsOf[entry.criticality] = (this.#rowsOf[entry.criticality] as number) - entry.rows;
    if (this.#levels === undefined) return;
    entry.inLevel?.list?.remove(entry.inLevel);
    if (this.requests === 0) this.#levels = undefined;
  }

  /** The last of those that matter least; undefined where all matter at least as much as `than`. */
  lastBelow(than: Criticality): Entry | undefined {
    for (let level = CRITICALITIES.length - 1; level > than; level--)
      if ((this.#rowsOf[level] as number) > 0) return this.#lastOf(level)?.entry;
    return undefined;
  }

  /** Rows of those that matter less than `than`. */
  rowsBelow(than: Criticality): number {
    let rows = 0;
    for (let level = than + 1; level < CRITICALITIES.length; level++) rows += this.#rowsOf[level] as number;
    return rows;
  }

  /**
   * Those that matter less than `than` and are wanted by `orderNs`, the least first, then the last, until they have
   * `rows` rows. Cost: linear in those that are looked at, which are at most `most`.
   */
  leastBelow(than: Criticality, orderNs: number, rows: number, most: number): Entry[] {
    const found: Entry[] = [];
    let left = rows;
    let looked = 0;
    for (let level = CRITICALITIES.length - 1; level > than; level--) {
      if ((this.#rowsOf[level] as number) === 0) continue;
      for (let link = this.#lastOf(level); link !== undefined; link = link.prev) {
        if (left <= 0 || looked++ >= most) return found;
        if (link.entry.orderNs > orderNs) continue;
        found.push(link.entry);
        left -= link.entry.rows;
      }
    }
    return found;
  }

  /** The last of a level, in a list that holds that level alone. */
  #lastOf(level: Criticality): Link | undefined {
    if (this.#rowsOf[level] === this.rows) return this.tail;
    if (this.#levels === undefined) {
      this.#levels = CRITICALITIES.map(() => new LinkedFifo());
      for (let link = this.head; link !== undefined; link = link.next) this.#file(this.#levels, link.entry);
    }
    return this.#levels[level]?.tail;
  }

  #file(levels: readonly LinkedFifo[], entry: Entry): void {
    entry.inLevel = new Link(entry);
    levels[entry.criticality]?.push(entry.inLevel);
  }
}
