import type { Entry } from './entry.js';
import type { Link } from './linked-fifo.js';
import type { TenantAccount } from './tenant-account.js';
import type { TenantLine } from './tenant-line.js';

/**
 * How much earlier a request must have come to be served before one of the next lower rank; a priority level is two ranks.
 * So priorities are strict in lines shorter than this, and nobody starves in longer ones.
 */
const AGEING_NS = 2.5e9;

/** Those of one rank: a line a tenant. */
export class Rank<Line extends TenantLine> {
  readonly rank: number;
  /** Of tenants that have requests here, or had; empty ones go when a tenant comes that has none. */
  readonly lines: Line[] = [];
  readonly #make: new (
    account: TenantAccount,
  ) => Line;

  constructor(rank: number, make: new (account: TenantAccount) => Line) {
    this.rank = rank;
    this.#make = make;
  }

  /** The line of a tenant, made where there is none. */
  line(account: TenantAccount): Line {
    const { lines } = this;
    for (let i = 0; i < lines.length; i++) if (lines[i]?.account === account) return lines[i] as Line;
    let kept = 0;
    for (const line of lines) if (line.head !== undefined) lines[kept++] = line;
    lines.length = kept;
    const line = new this.#make(account);
    lines.push(line);
    return line;
  }

  /** The first one to serve: of the tenant that had the least of the device, by its weight. */
  first(): Entry | undefined {
    const { lines } = this;
    let first: TenantLine | undefined;
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as TenantLine;
      if (line.head !== undefined && (first === undefined || isBefore(line, line.head, first, first.head as Link)))
        first = line;
    }
    return first?.head?.entry;
  }
}

function isBefore(a: TenantLine, aHead: Link, b: TenantLine, bHead: Link): boolean {
  const [aNs, bNs] = [a.account.virtualNs, b.account.virtualNs];
  return aNs < bNs || (aNs === bNs && aHead.entry.enqueuedNs < bHead.entry.enqueuedNs);
}

/** Lines by rank, lowest first. Ranks that were used once stay, empty: there are two a priority level. */
export class RankedLine<Line extends TenantLine> {
  readonly ranks: Rank<Line>[] = [];
  readonly #make: new (
    account: TenantAccount,
  ) => Line;

  constructor(make: new (account: TenantAccount) => Line) {
    this.#make = make;
  }

  rank(number: number): Rank<Line> {
    const { ranks } = this;
    let at = 0;
    while (at < ranks.length && (ranks[at] as Rank<Line>).rank < number) at++;
    if (ranks[at]?.rank !== number) ranks.splice(at, 0, new Rank(number, this.#make));
    return ranks[at] as Rank<Line>;
  }

  /** The first one to serve: of the lowest rank, unless one of a higher rank came so much earlier (`AGEING_NS`). */
  first(): Entry | undefined {
    let first: Entry | undefined;
    let firstNs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.ranks.length; i++) {
      const rank = this.ranks[i] as Rank<Line>;
      const entry = rank.first();
      if (entry === undefined) continue;
      const agedNs = entry.enqueuedNs + rank.rank * AGEING_NS;
      if (agedNs >= firstNs) continue;
      first = entry;
      firstNs = agedNs;
    }
    return first;
  }

  get empty(): boolean {
    for (const { lines } of this.ranks) for (const { head } of lines) if (head !== undefined) return false;
    return true;
  }
}
