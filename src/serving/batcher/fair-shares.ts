import { NOBODY, type Tenant } from '../../core/index.js';
import type { Entry } from './entry.js';
import { TenantAccount } from './tenant-account.js';

/** What a row is taken to cost before any execution ended; little, as what is learned then must not be held against anyone. */
const UNKNOWN_ROW_NS = 1e3;
/** Weight of the newest execution in what a row of its key costs. */
const NEWEST = 0.1;
/** Keys whose cost is remembered; they come from callers' shapes. */
const MOST_KEYS = 64;
/** Tenants that are remembered, those without a request as long as there is room. */
const MOST_ACCOUNTS = 1024;
/** How far ahead of others a tenant can get by priorities or shapes; what it had beyond it is forgotten. */
const MOST_AHEAD_NS = 1e9;

/**
 * Device time shared by tenants: each is given what it costs to run its requests (a row of their shape, as learned), and
 * whoever had the least by its weight is next. So over any time in which two have requests waiting, they get device time as
 * their weights are, but for one request: deficit round robin (Shreedhar and Varghese, 1995) with turns of one request.
 * Who had nothing waiting makes up for no time: it begins where the least served one stands.
 */
export class FairShares {
  readonly #accounts = new Map<Tenant, TenantAccount>();
  readonly #active: TenantAccount[] = [];
  /** Of the tenant that asked last: mostly it is the one that asks next. */
  #last: TenantAccount;
  #mostNs = 0;
  readonly #rowNs = new Map<string, number>();
  #anyRowNs = 0;

  constructor() {
    this.#last = new TenantAccount(NOBODY);
    this.#accounts.set(NOBODY, this.#last);
  }

  of(tenant: Tenant): TenantAccount {
    if (this.#last.tenant === tenant) return this.#last;
    let account = this.#accounts.get(tenant);
    if (account === undefined) {
      if (this.#accounts.size >= MOST_ACCOUNTS) this.#forgetOne();
      account = new TenantAccount(tenant);
      this.#accounts.set(tenant, account);
    }
    this.#last = account;
    return account;
  }

  /** Those that have requests waiting. */
  get active(): readonly TenantAccount[] {
    return this.#active;
  }

  all(): Iterable<TenantAccount> {
    return this.#accounts.values();
  }

  /** A request of it waits. */
  entered(account: TenantAccount): void {
    if (account.waiting === 0) {
      account.virtualNs = this.standing(account);
      this.#active.push(account);
    }
    account.waiting++;
  }

  /** One waits no more. */
  left(account: TenantAccount): void {
    if (--account.waiting > 0) return;
    this.#active.splice(this.#active.indexOf(account), 1);
  }

  /** Where an account stands among the others, or would if a request of it came now. */
  standing(account: TenantAccount): number {
    if (account.waiting > 0) return account.virtualNs;
    let leastNs = this.#active.length === 0 ? this.#mostNs : Number.POSITIVE_INFINITY;
    for (const { virtualNs } of this.#active) leastNs = Math.min(leastNs, virtualNs);
    return Math.max(account.virtualNs, leastNs);
  }

  /** A request was started. */
  charge({ account, criticality, rows, item: { key } }: Entry): void {
    account.started[criticality] = (account.started[criticality] as number) + 1;
    const costNs = (rows * this.rowNs(key)) / account.tenant.weight;
    account.virtualNs += costNs;
    if (account.virtualNs > this.#mostNs) this.#mostNs = account.virtualNs;
    if (this.#active.length < 2) return;
    let leastNs = Number.POSITIVE_INFINITY;
    for (const other of this.#active) if (other !== account) leastNs = Math.min(leastNs, other.virtualNs);
    account.virtualNs = Math.min(account.virtualNs, leastNs + MOST_AHEAD_NS + costNs);
  }

  /** What a row of a key costs on the device, as far as it is known. */
  rowNs(key: string): number {
    return this.#rowNs.get(key) ?? (this.#anyRowNs || UNKNOWN_ROW_NS);
  }

  /** An execution of these requests, together `rows` rows of one key, ended. */
  observe(entries: readonly Entry[], rows: number, computeNs: number): void {
    const [first] = entries;
    if (!(computeNs > 0) || first === undefined) return;
    const { key } = first.item;
    const rowNs = computeNs / rows;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      entry.account.deviceNs += entry.rows * rowNs;
    }
    const known = this.#rowNs.get(key);
    if (known === undefined && this.#rowNs.size >= MOST_KEYS) this.#rowNs.clear();
    this.#rowNs.set(key, known === undefined ? rowNs : known + NEWEST * (rowNs - known));
    this.#anyRowNs = this.#anyRowNs === 0 ? rowNs : this.#anyRowNs + NEWEST * (rowNs - this.#anyRowNs);
  }

  /** The one that would be found missing least. */
  #forgetOne(): void {
    for (const [tenant, account] of this.#accounts) {
      if (tenant === NOBODY || account.waiting > 0) continue;
      this.#accounts.delete(tenant);
      return;
    }
  }
}
