import type { Charge, CostAccount, CostKind, CostMeter, CostSplit, ModelVersionId, Tenant } from '../../core/index.js';
import { type BoundedNames, OTHERS_NAME } from './bounded-names.js';

/** Numbers of one device in an account. */
export const FIELDS = 4;
/** Devices that an account has room for before it grows. */
const FEW_DEVICES = 2;

/** Sums under one key, by device: nanoseconds, requests, rows, nanoseconds alone. */
export class Account implements CostAccount {
  readonly tenant: string;
  readonly route: string;
  readonly kind: CostKind;
  sums = new Float64Array(FEW_DEVICES * FIELDS);

  constructor(tenant: string, route: string, kind: CostKind) {
    this.tenant = tenant;
    this.route = route;
    this.kind = kind;
  }

  add(device: number, ns: number, requests: number, rows: number, aloneNs: number): void {
    const at = device * FIELDS;
    if (at >= this.sums.length) this.#grow(device + 1);
    const sums = this.sums;
    (sums[at] as number) += ns;
    (sums[at + 1] as number) += requests;
    (sums[at + 2] as number) += rows;
    (sums[at + 3] as number) += aloneNs;
  }

  #grow(devices: number): void {
    const larger = new Float64Array(devices * FIELDS);
    larger.set(this.sums);
    this.sums = larger;
  }
}

/** What is shared by all versions. */
export interface AccountLimits {
  readonly split: CostSplit;
  readonly tenants: BoundedNames;
  readonly routes: BoundedNames;
  /** Accounts of one version at most; beyond, tenants and routes that are new to it share one. */
  readonly maxAccounts: number;
}

/** The accounts of one version: they stay when it is unloaded, and go on when it is loaded again. */
export class VersionAccounts implements CostMeter {
  readonly id: ModelVersionId;
  readonly split: CostSplit;
  readonly padding = new Account('', '', 'padding');
  readonly failed = new Account('', '', 'failed');
  readonly retried = new Account('', '', 'retried');
  readonly warmUp = new Account('', '', 'warm_up');
  readonly #limits: AccountLimits;
  readonly #accounts = new Map<string, Account>();

  constructor(id: ModelVersionId, limits: AccountLimits) {
    this.id = id;
    this.split = limits.split;
    this.#limits = limits;
  }

  account({ name }: Tenant, { kind, route }: Charge): CostAccount {
    if (kind === 'warm_up') return this.warmUp;
    const { tenants, routes, maxAccounts } = this.#limits;
    const tenant = kind === 'direct' ? tenants.known(name) : '';
    const way = routes.known(route);
    const full = this.#accounts.size >= maxAccounts;
    return this.#named(kind, tenant, way, full) ?? (this.#named(kind, OTHERS_NAME, OTHERS_NAME, false) as Account);
  }

  /** Every account that something was booked on. */
  *all(): Iterable<Account> {
    for (const account of [this.padding, this.failed, this.retried, this.warmUp, ...this.#accounts.values()])
      if (account.sums.some((sum) => sum > 0)) yield account;
  }

  /** Undefined: it is new, and there is no room. */
  #named(kind: CostKind, tenant: string, route: string, full: boolean): Account | undefined {
    const key = `${kind}\n${route}\n${tenant}`;
    let account = this.#accounts.get(key);
    if (account === undefined && !full) {
      account = new Account(tenant, route, kind);
      this.#accounts.set(key, account);
    }
    return account;
  }
}
