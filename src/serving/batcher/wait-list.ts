import { type Criticality, NO_DEADLINE } from '../../core/index.js';
import type { Entry } from './entry.js';
import type { FairShares } from './fair-shares.js';
import type { Link } from './linked-fifo.js';
import { RankedLine } from './ranked-line.js';
import type { TenantAccount } from './tenant-account.js';
import { CountedLine, TenantLine } from './tenant-line.js';

/** The waiting requests of one key, all priorities. */
export class KeyGroup {
  /** Changes only while nobody waits in it. */
  key: string;
  readonly line = new RankedLine(TenantLine);
  rows = 0;
  requests = 0;
  /** Those of them that have a deadline. */
  withDeadline = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** No deadline among them is earlier: each line stands in the order of deadlines, so its first one tells. */
  tightestNs(): number {
    let tightestNs = NO_DEADLINE;
    for (const { lines } of this.line.ranks)
      for (const { head } of lines) if (head !== undefined) tightestNs = Math.min(tightestNs, head.entry.orderNs);
    return tightestNs;
  }

  /** True where they are of more than one level. */
  get mixedLevels(): boolean {
    let levels = 0;
    for (const { lines } of this.line.ranks) if (lines.some(({ head }) => head !== undefined)) levels++;
    return levels > 1;
  }

  /** True where requests of one level are of more than one tenant. */
  get mixedTenants(): boolean {
    for (const { lines } of this.line.ranks) {
      let tenants = 0;
      if (lines.length > 1) for (const { head } of lines) if (head !== undefined && ++tenants > 1) return true;
    }
    return false;
  }
}

/**
 * Requests that would share a batch but do not fit are passed over at most this often while one batch is gathered, so that
 * a long line of large requests is not walked for each batch.
 */
const PASSED_OVER_AT_MOST = 16;

/** A newcomer, as far as its place in the line is concerned. */
export interface Newcomer {
  readonly account: TenantAccount;
  readonly level: number;
  readonly deadlineNs: number;
  readonly rows: number;
  readonly key: string;
}

/**
 * The waiting requests in the order of service: priority, which ages, then the tenant that had the least of the device, then
 * deadline (`byDeadline`) or arrival; those whose queue time-out passed with action DELAY come after all others of their
 * own or a higher priority (Triton, `PriorityQueue`). Every request also stands in the line of its key, so that a batch of
 * the head's key is gathered without walking over the others.
 */
export class WaitList {
  readonly #line = new RankedLine(CountedLine);
  readonly #groups = new Map<string, KeyGroup>();
  /** The last one that nobody waited in any more: where shapes vary, each request would need a new one. */
  #spare: KeyGroup | undefined;
  readonly #byDeadline: boolean;
  readonly #shares: FairShares;
  #size = 0;

  constructor(byDeadline: boolean, shares: FairShares) {
    this.#byDeadline = byDeadline;
    this.#shares = shares;
  }

  get size(): number {
    return this.#size;
  }

  /** The lines of a priority level, one a tenant. */
  lines(level: number): readonly CountedLine[] {
    return this.#line.rank(level * 2).lines;
  }

  /** Rows that wait at `level` and at those more urgent, of all tenants. */
  rowsUpTo(level: number): number {
    let rows = 0;
    for (const { rank, lines } of this.#line.ranks)
      if (rank <= level * 2 + 1) for (const line of lines) rows += line.rows;
    return rows;
  }

  /** The line that a tenant's newest requests of a level stand in. */
  lineOf(account: TenantAccount, level: number): CountedLine {
    return this.#line.rank(level * 2).line(account);
  }

  /** The one that a tenant misses least: it matters least, is of the least urgent level, and the last of those. */
  lastOf(account: TenantAccount, than: Criticality): Entry | undefined {
    let found: Entry | undefined;
    for (const { lines } of this.#line.ranks) {
      for (const line of lines) {
        const newest = line.account === account ? line.lastBelow(than) : undefined;
        if (newest !== undefined && (found === undefined || newest.criticality >= found.criticality)) found = newest;
      }
    }
    return found;
  }

  /**
   * Rows that wait and are served before a newcomer: those of more urgent levels; of its own level its tenant's with an
   * earlier deadline, and as many of each other tenant's as that one's share gives it until then. O(log n), and linear in
   * the tenants.
   */
  rowsBefore({ account, level, deadlineNs, rows, key }: Newcomer): number {
    let before = 0;
    let others = false;
    for (const { rank, lines } of this.#line.ranks) {
      if (rank > level * 2 + 1) break;
      for (const line of lines) {
        before += line.rows;
        if (line.account === account) {
          if (this.#byDeadline && rank === level * 2) before -= line.rowsAfter(deadlineNs);
        } else others ||= line.rows > 0;
      }
    }
    return others ? this.#rowsByShare(account, level, before, rows, key) : before;
  }

  /** `all`: counted as if those of other tenants at its level all went before it. */
  #rowsByShare(account: TenantAccount, level: number, all: number, rows: number, key: string): number {
    const lines = this.lines(level);
    let others = 0;
    let urgent = 0;
    for (const line of lines) if (line.account !== account) others += line.rows;
    for (const { rank, lines: those } of this.#line.ranks)
      if (rank !== level * 2 && rank <= level * 2 + 1) for (const line of those) urgent += line.rows;
    const own = Math.max(all - others - urgent, 0);
    const rowNs = this.#shares.rowNs(key);
    const endNs = this.#shares.standing(account) + ((own + rows) * rowNs) / account.tenant.weight;
    let before = own + urgent;
    for (const line of lines) {
      if (line.account === account) continue;
      const aheadNs = Math.max(endNs - line.account.virtualNs, 0);
      before += Math.min(line.rows, (aheadNs * line.account.tenant.weight) / rowNs);
    }
    return before;
  }

  /** The request that is served next: it decides the key of the next batch, so none can starve behind another shape. */
  head(): Entry | undefined {
    return this.#line.first();
  }

  add(entry: Entry): void {
    const { key } = entry.item;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = this.#spare ?? new KeyGroup(key);
      group.key = key;
      this.#spare = undefined;
      this.#groups.set(key, group);
    }
    entry.group = group;
    this.#count(entry, group, 1);
    this.#shares.entered(entry.account);
    this.#place(entry, group, entry.level.level * 2, this.#byDeadline);
  }

  remove(entry: Entry): void {
    const group = this.#unplace(entry);
    entry.group = undefined;
    this.#count(entry, group, -1);
    this.#shares.left(entry.account);
    // Keys come from callers' shapes: one that is not waited for must not be remembered. The one of a fixed shape stays.
    if (group.key === '' || !group.line.empty) return;
    this.#groups.delete(group.key);
    this.#spare = group;
  }

  /** Moves an expired request behind the live ones of its own and higher priorities. */
  delay(entry: Entry): void {
    this.#place(entry, this.#unplace(entry), entry.level.level * 2 + 1, false);
  }

  /**
   * Fills `into` with the head and those of its key that fit into `maxRows` together with it, in the order of service.
   * One that does not fit is passed over, which cannot starve it: it comes nearer to the head with each batch, and the head
   * is always taken. Returns true where the batch cannot grow: it is full, or some did not fit. Cost: linear in the batch,
   * times the tenants of its members.
   */
  gather(maxRows: number, into: Entry[]): boolean {
    into.length = 0;
    const head = this.head();
    if (head?.group === undefined) return false;
    const filling = new Filling(head, maxRows, into);
    const { group } = head;
    if (group.mixedTenants) this.#fillByShare(group, filling);
    else fillInOrder(group.line, filling);
    return filling.rows >= maxRows || filling.passedOver > 0;
  }

  /** Each rank by its tenants' shares as they would stand. */
  #fillByShare({ key, line: { ranks } }: KeyGroup, filling: Filling): void {
    const rowNs = this.#shares.rowNs(key);
    for (const { lines } of ranks) {
      for (const line of lines) {
        line.cursor = line.head;
        line.account.plannedNs = line.account.virtualNs;
      }
    }
    for (const { lines } of ranks) {
      let line = leastPlanned(lines, filling.head);
      for (; line?.cursor !== undefined; line = leastPlanned(lines, filling.head)) {
        const { entry, next } = line.cursor;
        line.cursor = next;
        line.account.plannedNs += (entry.rows * rowNs) / line.account.tenant.weight;
        if (!filling.take(entry)) return;
      }
    }
  }

  #count(entry: Entry, group: KeyGroup, sign: 1 | -1): void {
    group.rows += sign * entry.rows;
    group.requests += sign;
    if (entry.deadlineNs !== NO_DEADLINE) group.withDeadline += sign;
    this.#size += sign;
    entry.level.waiting += sign;
  }

  #place(entry: Entry, group: KeyGroup, rank: number, inOrder: boolean): void {
    const line = this.#line.rank(rank).line(entry.account);
    const own = group.line.rank(rank).line(entry.account);
    line.count(entry);
    if (inOrder) {
      line.insert(entry.inLine);
      own.insert(entry.inGroup);
    } else {
      line.push(entry.inLine);
      own.push(entry.inGroup);
    }
  }

  #unplace(entry: Entry): KeyGroup {
    const { group } = entry;
    const line = entry.inLine.list as CountedLine | undefined;
    if (group === undefined || line === undefined) throw new Error('the request is not waiting');
    line.discount(entry);
    line.remove(entry.inLine);
    entry.inGroup.list?.remove(entry.inGroup);
    return group;
  }
}

/** A batch that is put together, its head first. */
class Filling {
  readonly head: Entry;
  readonly #maxRows: number;
  readonly #into: Entry[];
  rows: number;
  passedOver = 0;

  constructor(head: Entry, maxRows: number, into: Entry[]) {
    this.head = head;
    this.#maxRows = maxRows;
    this.#into = into;
    this.rows = head.rows;
    into.push(head);
  }

  /** False where no other shall be looked at. */
  take(entry: Entry): boolean {
    if (this.rows >= this.#maxRows || this.passedOver > PASSED_OVER_AT_MOST) return false;
    if (entry === this.head) return true;
    if (this.rows + entry.rows > this.#maxRows) this.passedOver++;
    else {
      this.rows += entry.rows;
      this.#into.push(entry);
    }
    return true;
  }
}

/** A line whose ranks have one tenant each. */
function fillInOrder({ ranks }: RankedLine<TenantLine>, filling: Filling): void {
  for (const { lines } of ranks)
    for (const { head } of lines)
      for (let link = head; link !== undefined; link = link.next) if (!filling.take(link.entry)) return;
}

/** The line that goes on next; the head's where several stand alike, for it was chosen from them. */
function leastPlanned(lines: readonly TenantLine[], head: Entry): TenantLine | undefined {
  let least: TenantLine | undefined;
  for (const line of lines) {
    if (line.cursor === undefined) continue;
    if (line.cursor.entry === head) return line;
    if (least === undefined || line.account.plannedNs < least.account.plannedNs) least = line;
    else if (line.account.plannedNs === least.account.plannedNs) {
      const [a, b] = [line.cursor.entry.enqueuedNs, (least.cursor as Link).entry.enqueuedNs];
      if (a < b) least = line;
    }
  }
  return least;
}
