import type { ModelVersionId } from '../../core/index.js';

/** Who pays for the time in which a device does nothing: who lies in its memory, who uses it, nobody. */
export const IDLE_POLICIES = ['reserved', 'proportional', 'unallocated'] as const;
export type IdlePolicy = (typeof IDLE_POLICIES)[number];

/** A version that is loaded on a device. */
export interface Resident {
  readonly id: ModelVersionId;
  /** Of its weights on that device. */
  readonly bytes: number;
  /** Nanoseconds of its requests on the device so far, as they are charged to callers. */
  readonly directNs: () => number;
}

interface Payer {
  readonly id: ModelVersionId;
  ns: number;
}

/**
 * The idle time of one device, divided as it passes, so that no part ever shrinks. `reserved`: by the bytes of those that are
 * resident; `proportional`: by what each had of the device since the last division, or, where that is nothing, ever. Where
 * nobody can be named, nobody pays.
 */
export class IdleSplit {
  readonly #policy: IdlePolicy;
  readonly #residents = new Set<Resident>();
  readonly #payers = new Map<string, Payer>();
  /** By resident: `directNs` at the last division. */
  readonly #seen = new Map<Resident, number>();
  #dividedNs = 0;
  #unallocatedNs = 0;

  constructor(policy: IdlePolicy) {
    this.#policy = policy;
  }

  /** `idleNs`: of the device, in all, so far. */
  join(resident: Resident, idleNs: number): void {
    this.divide(idleNs);
    this.#residents.add(resident);
    this.#seen.set(resident, resident.directNs());
  }

  leave(resident: Resident, idleNs: number): void {
    this.divide(idleNs);
    this.#residents.delete(resident);
    this.#seen.delete(resident);
  }

  /** Divides what has come since the last time. */
  divide(idleNs: number): void {
    const ns = idleNs - this.#dividedNs;
    if (!(ns > 0)) return;
    this.#dividedNs = idleNs;
    const residents = [...this.#residents];
    const weights = this.#weights(residents);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) {
      this.#unallocatedNs += ns;
      return;
    }
    residents.forEach(({ id }, i) => {
      const weight = weights[i] as number;
      if (weight > 0) this.#payer(id).ns += (ns * weight) / total;
    });
  }

  /** What was divided; the first is nobody's. */
  *parts(): Iterable<{ readonly id: ModelVersionId; readonly ns: number }> {
    yield { id: NOBODYS, ns: this.#unallocatedNs };
    yield* this.#payers.values();
  }

  #weights(residents: readonly Resident[]): number[] {
    if (this.#policy === 'unallocated') return [];
    if (this.#policy === 'reserved') return residents.map(({ bytes }) => bytes);
    const ever = residents.map(({ directNs }) => directNs());
    const lately = residents.map((resident, i) => (ever[i] as number) - (this.#seen.get(resident) as number));
    for (const [i, resident] of residents.entries()) this.#seen.set(resident, ever[i] as number);
    return lately.some((ns) => ns > 0) ? lately : ever;
  }

  #payer(id: ModelVersionId): Payer {
    const key = `${id.model}\n${id.version}`;
    let payer = this.#payers.get(key);
    if (payer === undefined) {
      payer = { id, ns: 0 };
      this.#payers.set(key, payer);
    }
    return payer;
  }
}

const NOBODYS: ModelVersionId = Object.freeze({ model: '', version: 0 });
