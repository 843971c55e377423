import { FIXED_TENANTS, NOBODY, OTHERS, type Tenant } from '../../core/index.js';

export interface TenantsOptions {
  /** Tenants that are known, by name, and their weights. */
  readonly weights: Readonly<Record<string, number>>;
  /** Most other tenants that are remembered at once; those beyond share one place (`OTHERS`). */
  readonly maxUnlisted: number;
}

/** Longer names are cut where they are remembered: they come from callers. */
const NAME_LENGTH = 64;
/** A tenant that was not seen for so long gives its place to a new one. */
const FORGOTTEN_AFTER_NS = 60e9;

interface Remembered {
  readonly tenant: Tenant;
  seenNs: number;
}

/**
 * The tenants that are known by name: those listed for ever, others up to a number. A caller that invents names gains
 * nothing: what is not known shares one place, and a known name is kept while it is used.
 */
export class Tenants {
  readonly #listed = new Map<string, Tenant>();
  readonly #unlisted = new Map<string, Remembered>();
  readonly #maxUnlisted: number;
  readonly #firstUnlisted: number;

  constructor({ weights, maxUnlisted }: TenantsOptions) {
    for (const [name, weight] of Object.entries(weights))
      this.#listed.set(name, Object.freeze({ name, weight, index: this.#listed.size + FIXED_TENANTS.length }));
    this.#maxUnlisted = maxUnlisted;
    this.#firstUnlisted = this.#listed.size + FIXED_TENANTS.length;
  }

  /** The tenant of that name; empty: `NOBODY`. */
  named(name: string, nowNs: number): Tenant {
    if (name === '') return NOBODY;
    const listed = this.#listed.get(name);
    if (listed !== undefined) return listed;
    if (this.#maxUnlisted === 0) return OTHERS;
    const short = name.length > NAME_LENGTH ? name.slice(0, NAME_LENGTH) : name;
    const known = this.#unlisted.get(short);
    if (known !== undefined) {
      known.seenNs = nowNs;
      return known.tenant;
    }
    const index = this.#place(nowNs);
    if (index === undefined) return OTHERS;
    const tenant = Object.freeze({ name: short, weight: 1, index });
    this.#unlisted.set(short, { tenant, seenNs: nowNs });
    return tenant;
  }

  /** A place for one more; undefined: there is none. Linear in them where all are taken. */
  #place(nowNs: number): number | undefined {
    if (this.#unlisted.size < this.#maxUnlisted) return this.#firstUnlisted + this.#unlisted.size;
    let oldest: Remembered | undefined;
    for (const one of this.#unlisted.values()) if (oldest === undefined || one.seenNs < oldest.seenNs) oldest = one;
    if (oldest === undefined || nowNs - oldest.seenNs < FORGOTTEN_AFTER_NS) return undefined;
    this.#unlisted.delete(oldest.tenant.name);
    return oldest.tenant.index;
  }
}
