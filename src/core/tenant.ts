/**
 * Whom a request is answered for. One object for a tenant on a thread, compared by identity; how many there are at once is
 * bounded, so that queues, figures and reports may be kept by them.
 */
export interface Tenant {
  readonly name: string;
  /** Part of the device time beside that of others who have requests waiting: twice the weight, twice the time. */
  readonly weight: number;
  /** Place among those remembered at once; when one is forgotten, another takes it. */
  readonly index: number;
}

/** Whoever names no tenant, or none that is believed. */
export const NOBODY: Tenant = Object.freeze({ name: '', weight: 1, index: 0 });

/** All who name a tenant that is not known, together. */
export const OTHERS: Tenant = Object.freeze({ name: '(others)', weight: 1, index: 1 });

/** Copies of requests, which run for the sake of a release and are charged to nobody else. */
export const SHADOW: Tenant = Object.freeze({ name: '(shadow)', weight: 1, index: 2 });

/** Tenants that are known everywhere, by their index. */
export const FIXED_TENANTS: readonly Tenant[] = [NOBODY, OTHERS, SHADOW];
