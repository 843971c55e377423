import { CRITICALITIES, type Criticality, DEFAULT_CRITICALITY, NOBODY, type Tenant } from '../core/index.js';
import type { Random } from './load.js';

/** Who sends the requests of a load: parts that add up to 1. */
export interface Mix {
  readonly tenants: readonly { readonly tenant: Tenant; readonly part: number }[];
  readonly criticality: readonly { readonly level: Criticality; readonly part: number }[];
}

/** Everybody alike. */
export const NO_MIX: Mix = {
  tenants: [{ tenant: NOBODY, part: 1 }],
  criticality: [{ level: DEFAULT_CRITICALITY, part: 1 }],
};

/** What became of some of the requests of a run. */
export interface PartResult {
  requests: number;
  /** Answered within the SLO. */
  inTime: number;
  late: number;
  refused: number;
}

/** What became of each part of a mix. */
export interface MixResult {
  readonly tenants: ReadonlyMap<string, Readonly<PartResult>>;
  /** The most critical first. */
  readonly criticality: ReadonlyMap<string, Readonly<PartResult>>;
}

/** Whom one request is of, and where its outcome is counted. */
export interface Sender {
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  readonly counted: readonly PartResult[];
}

/** Draws the sender of each request, and counts what becomes of them. */
export class Senders {
  readonly #mix: Mix;
  readonly #random: Random;
  readonly #tenants = new Map<string, PartResult>();
  readonly #criticality = new Map<string, PartResult>();

  constructor(mix: Mix, random: Random) {
    this.#mix = mix;
    this.#random = random;
    for (const { tenant } of mix.tenants) this.#tenants.set(tenant.name, nothing());
    for (const { level } of [...mix.criticality].sort((a, b) => a.level - b.level))
      this.#criticality.set(CRITICALITIES[level] as string, nothing());
  }

  next(): Sender {
    const { tenant } = this.#draw(this.#mix.tenants);
    const { level } = this.#draw(this.#mix.criticality);
    const byTenant = this.#tenants.get(tenant.name) as PartResult;
    const byLevel = this.#criticality.get(CRITICALITIES[level] as string) as PartResult;
    return { tenant, criticality: level, counted: [byTenant, byLevel] };
  }

  get result(): MixResult {
    return { tenants: this.#tenants, criticality: this.#criticality };
  }

  #draw<T extends { readonly part: number }>(parts: readonly T[]): T {
    let left = parts.length === 1 ? 0 : this.#random();
    for (const one of parts) {
      left -= one.part;
      if (left < 0) return one;
    }
    return parts.at(-1) as T;
  }
}

function nothing(): PartResult {
  return { requests: 0, inTime: 0, late: 0, refused: 0 };
}
