import { NO_DEADLINE } from '../../core/index.js';
import { type Entry, type Link, LinkedFifo } from './entry.js';

/** The waiting requests of one key, all priorities. */
export class KeyGroup {
  readonly key: string;
  readonly line = new RankedLine();
  rows = 0;
  requests = 0;
  /** Those of them that have a deadline. */
  withDeadline = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** No deadline among them is earlier: each level stands in the order of deadlines, so its first one tells. */
  tightestNs(): number {
    let tightestNs = NO_DEADLINE;
    for (const { head } of this.line.fifos)
      if (head !== undefined) tightestNs = Math.min(tightestNs, head.entry.orderNs);
    return tightestNs;
  }

  /** True where they are of more than one level. */
  get mixedLevels(): boolean {
    let levels = 0;
    for (const { head } of this.line.fifos) if (head !== undefined) levels++;
    return levels > 1;
  }
}

/**
 * How much earlier a request must have come to be served before one of the next lower rank; a priority level is two ranks.
 * So priorities are strict in lines shorter than this, and nobody starves in longer ones.
 */
const AGEING_NS = 2.5e9;

/** Lists by rank, lowest first. Ranks that were used once keep their (empty) list: there are two a priority level. */
class RankedLine {
  readonly #ranks: number[] = [];
  readonly #fifos: LinkedFifo[] = [];

  push(link: Link, rank: number): void {
    this.#fifo(rank).push(link);
  }

  insert(link: Link, rank: number): void {
    this.#fifo(rank).insert(link);
  }

  last(rank: number): Link | undefined {
    return this.#fifos[this.#ranks.indexOf(rank)]?.tail;
  }

  /** The first one to serve: of the lowest rank, unless one of a higher rank came so much earlier (`AGEING_NS`). */
  first(): Entry | undefined {
    let first: Entry | undefined;
    let firstNs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#fifos.length; i++) {
      const entry = this.#fifos[i]?.head?.entry;
      if (entry === undefined) continue;
      const agedNs = entry.enqueuedNs + (this.#ranks[i] as number) * AGEING_NS;
      if (agedNs >= firstNs) continue;
      first = entry;
      firstNs = agedNs;
    }
    return first;
  }

  get empty(): boolean {
    return this.#fifos.every((fifo) => fifo.head === undefined);
  }

  get fifos(): readonly LinkedFifo[] {
    return this.#fifos;
  }

  #fifo(rank: number): LinkedFifo {
    let at = 0;
    while (at < this.#ranks.length && (this.#ranks[at] as number) < rank) at++;
    if (this.#ranks[at] !== rank) {
      this.#ranks.splice(at, 0, rank);
      this.#fifos.splice(at, 0, new LinkedFifo());
    }
    return this.#fifos[at] as LinkedFifo;
  }
}

/**
 * Requests that would share a batch but do not fit are passed over at most this often while one batch is gathered, so that
 * a long line of large requests is not walked for each batch.
 */
const PASSED_OVER_AT_MOST = 16;

/**
 * The waiting requests in the order of service: priority, which ages, then deadline (`byDeadline`) or arrival; those
 * whose queue time-out passed with action DELAY come after all others of their own or a higher priority (Triton,
 * `PriorityQueue`). Every request also stands in the line of its key, so that a batch of the head's key is gathered without
 * walking over the others.
 */
export class WaitList {
  readonly #line = new RankedLine();
  readonly #groups = new Map<string, KeyGroup>();
  readonly #byDeadline: boolean;
  #size = 0;

  constructor(byDeadline: boolean) {
    this.#byDeadline = byDeadline;
  }

  get size(): number {
    return this.#size;
  }

  /** Rows of `level` that are wanted later than `deadlineNs`: a newcomer goes before them. Linear in them. */
  rowsOvertaken(level: number, deadlineNs: number): number {
    let rows = 0;
    if (!this.#byDeadline) return rows;
    for (let link = this.#line.last(level * 2); link !== undefined; link = link.prev) {
      if (link.entry.orderNs <= deadlineNs) break;
      rows += link.entry.rows;
    }
    return rows;
  }

  /** The request that is served next: it decides the key of the next batch, so none can starve behind another shape. */
  head(): Entry | undefined {
    return this.#line.first();
  }

  add(entry: Entry): void {
    const { key } = entry.item;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new KeyGroup(key);
      this.#groups.set(key, group);
    }
    entry.group = group;
    this.#count(entry, group, 1);
    const rank = entry.level.level * 2;
    if (!this.#byDeadline) {
      this.#place(entry, group, rank);
      return;
    }
    this.#line.insert(entry.inLine, rank);
    group.line.insert(entry.inGroup, rank);
  }

  remove(entry: Entry): void {
    const group = this.#unplace(entry);
    entry.group = undefined;
    this.#count(entry, group, -1);
    // Keys come from callers' shapes: one that is not waited for must not be remembered. The one of a fixed shape stays.
    if (group.key !== '' && group.line.empty) this.#groups.delete(group.key);
  }

  /** Moves an expired request behind the live ones of its own and higher priorities. */
  delay(entry: Entry): void {
    this.#place(entry, this.#unplace(entry), entry.level.level * 2 + 1);
  }

  /**
   * Fills `into` with the head and those of its key that fit into `maxRows` together with it, in the order of service.
   * One that does not fit is passed over, which cannot starve it: it comes nearer to the head with each batch, and the head
   * is always taken. Returns true where the batch cannot grow: it is full, or some did not fit. Cost: linear in the batch.
   */
  gather(maxRows: number, into: Entry[]): boolean {
    into.length = 0;
    const head = this.head();
    if (head?.group === undefined) return false;
    into.push(head);
    let rows = head.rows;
    let passedOver = 0;
    for (const fifo of head.group.line.fifos) {
      for (let link = fifo.head; link !== undefined; link = link.next) {
        if (rows >= maxRows || passedOver > PASSED_OVER_AT_MOST) return true;
        if (link.entry === head) continue;
        if (rows + link.entry.rows > maxRows) {
          passedOver++;
          continue;
        }
        rows += link.entry.rows;
        into.push(link.entry);
      }
    }
    return rows >= maxRows || passedOver > 0;
  }

  #count(entry: Entry, group: KeyGroup, sign: 1 | -1): void {
    group.rows += sign * entry.rows;
    group.requests += sign;
    if (entry.deadlineNs !== NO_DEADLINE) group.withDeadline += sign;
    this.#size += sign;
    entry.level.waiting += sign;
    entry.level.rows += sign * entry.rows;
  }

  #place(entry: Entry, group: KeyGroup, rank: number): void {
    this.#line.push(entry.inLine, rank);
    group.line.push(entry.inGroup, rank);
  }

  #unplace(entry: Entry): KeyGroup {
    const { group } = entry;
    if (group === undefined || entry.inLine.list === undefined) throw new Error('the request is not waiting');
    entry.inLine.list.remove(entry.inLine);
    entry.inGroup.list?.remove(entry.inGroup);
    return group;
  }
}
