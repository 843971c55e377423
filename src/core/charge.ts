/** What a request's time on a device is booked as: a caller's, a release's, or that of a version before it serves. */
export type ChargeKind = 'direct' | 'canary' | 'shadow' | 'warm_up';

/** Under what a request is booked. One object for a route and kind on a thread, compared by identity; bounded in number. */
export interface Charge {
  /** Place among those of the thread: what is kept by charge is kept in arrays. */
  readonly index: number;
  /** Route of its answer, or the rollout that tries the version; empty where no route led to it. */
  readonly route: string;
  readonly kind: ChargeKind;
}

const fixed = (index: number, route: string, kind: ChargeKind): Charge => Object.freeze({ index, route, kind });

/** Whoever says nothing. */
export const UNROUTED = fixed(0, '', 'direct');
/** Copies of requests. */
export const SHADOW_COPY = fixed(1, '', 'shadow');
/** What a version is tried with before it serves. */
export const BEFORE_SERVICE = fixed(2, '', 'warm_up');
/** Routes beyond the number that is told apart. */
const OTHER_ROUTES = fixed(3, '(others)', 'direct');
const OTHER_ROLLOUTS = fixed(4, '(others)', 'canary');

/** Charges that are known everywhere, by their index. */
export const FIXED_CHARGES: readonly Charge[] = [UNROUTED, SHADOW_COPY, BEFORE_SERVICE, OTHER_ROUTES, OTHER_ROLLOUTS];

/** Routes and rollouts that a thread tells apart since it began; those beyond share a place. */
const MOST_NAMED = 250;

/** Where routes get their charges from. */
export interface ChargeSource {
  of(route: string, kind: ChargeKind): Charge;
}

/** The charges of one thread. */
export class Charges implements ChargeSource {
  readonly #named = new Map<string, Charge>();

  of(route: string, kind: ChargeKind): Charge {
    if (kind === 'shadow') return SHADOW_COPY;
    if (kind === 'warm_up') return BEFORE_SERVICE;
    const name = `${kind}\n${route}`;
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    if (this.#named.size >= MOST_NAMED) return kind === 'canary' ? OTHER_ROLLOUTS : OTHER_ROUTES;
    const charge = fixed(FIXED_CHARGES.length + this.#named.size, route, kind);
    this.#named.set(name, charge);
    return charge;
  }
}
