import {
  type Charge,
  type ChargeSource,
  type EjectionSettings,
  type ModelRoutes,
  type ModelTraffic,
  type RouteMark,
  type Tensor,
  type TensorSpec,
  tensorOfValues,
  type VersionName,
} from '../../core/index.js';
import { FALLBACK, routeMark } from './route-mark.js';

/** One version as the table knows it; `target` is whatever the data path sends requests to. */
export interface RouteEntry<T> {
  readonly version: number;
  readonly target: T;
  /** Of the model, for conditions on requests that do not name their input; default none. */
  readonly inputs?: readonly TensorSpec[];
}

/** A version that gets a copy of a request, whose answer nobody waits for. */
export interface ShadowCopy<T> {
  /** Of the shadow, or of the rollout. */
  readonly name: string;
  /** `ReleaseSplit.number` of the rollout's split; 0: an operator's shadow. */
  readonly split: number;
  readonly target: T;
}

/** What a filter does with a request in the place of a version. */
export type Filtered =
  | { readonly kind: 'blocked'; readonly message: string }
  /** Of one row each, without the batch axis. */
  | { readonly kind: 'answered'; readonly outputs: readonly Tensor[] };

/** Where a request is tried in the second place. */
export interface SecondWay<T> {
  readonly decision: RouteDecision<T>;
  readonly onError: boolean;
  /** After the request came; undefined: never. */
  readonly afterNs: number | undefined;
}

/** Where one request goes. Made with the table, or from what was made with it. */
export interface RouteDecision<T> {
  readonly primary: T;
  /** Version, name of the route, number of the table. */
  readonly mark: RouteMark;
  /** Under what its time on the device is booked. */
  readonly charge: Charge;
  /** `ReleaseSplit.number` of the split that assigned it; 0 = none did. */
  readonly split: number;
  readonly shadows: readonly ShadowCopy<T>[];
  /** Whether its prediction is to be told of, though no split assigned it. */
  readonly judged: boolean;
  /** Undefined: it goes to `primary`, as nearly all do. */
  readonly filtered: Filtered | undefined;
  readonly fallback: SecondWay<T> | undefined;
  /** Whether its outcome counts for the ejection of its version, and how. */
  readonly ejection: EjectionSettings | undefined;
  /** Where it would go were that version not ejected; undefined: just here. */
  readonly spared: RouteDecision<T> | undefined;
}

/** Makes the decisions of one model in one table. */
export class DecisionMaker<T> {
  readonly #entries: readonly RouteEntry<T>[];
  readonly #table: number;
  readonly #routes: ModelRoutes | undefined;
  readonly #routed: boolean;
  readonly #places: NonNullable<ModelTraffic['places']>;
  readonly #charges: ChargeSource;
  readonly #judged: boolean;
  readonly #fallback: SecondWay<T> | undefined;

  constructor(
    entries: readonly RouteEntry<T>[],
    { routes, release, places = {}, judged = false }: ModelTraffic,
    table: number,
    charges: ChargeSource,
  ) {
    this.#entries = entries;
    this.#table = table;
    this.#routes = routes;
    this.#routed = routes !== undefined || release !== undefined;
    this.#places = places;
    this.#charges = charges;
    this.#judged = judged;
    if (routes?.fallback === undefined) return;
    const { to, onError, afterMs } = routes.fallback;
    const decision = this.#of(this.numberOf(to), FALLBACK, 0, NO_SHADOWS, undefined);
    this.#fallback = { decision, onError, afterNs: afterMs === undefined ? undefined : afterMs * 1e6 };
  }

  /** The decision that stands in where all else is out of use; undefined: the routes have none. */
  get fallback(): RouteDecision<T> | undefined {
    return this.#fallback?.decision;
  }

  numberOf(name: VersionName): number {
    return typeof name === 'number' ? name : (this.#routes?.labels[name] as number);
  }

  targetOf(version: number): T {
    return (this.#entries.find((entry) => entry.version === version) as RouteEntry<T>).target;
  }

  /** Of a client that named the version: it gets that one, or an error. */
  named(version: number, route: string): RouteDecision<T> {
    const decision = this.#of(version, route, 0, NO_SHADOWS, undefined);
    return Object.freeze({ ...decision, ejection: undefined });
  }

  to(version: number, route: string, split = 0, shadows: readonly ShadowCopy<T>[] = NO_SHADOWS): RouteDecision<T> {
    const second = this.#fallback;
    const elsewhere = second !== undefined && second.decision.primary !== this.targetOf(version);
    return this.#of(version, route, split, shadows, elsewhere ? second : undefined);
  }

  /** To the candidate of a rollout, which pays for what it is tried with. */
  toCandidate(version: number, rollout: string, split: number): RouteDecision<T> {
    const decision = this.to(version, rollout, split);
    return Object.freeze({ ...decision, charge: this.#charges.of(rollout, 'canary') });
  }

  /** `decision`: where the request would go without the filter. */
  filtered(decision: RouteDecision<T>, route: string, action: Parameters<typeof filteredOf>[0]): RouteDecision<T> {
    const mark = this.#mark(decision.mark.version, route);
    return Object.freeze({ ...decision, mark, split: 0, shadows: NO_SHADOWS, filtered: filteredOf(action) });
  }

  #mark(version: number, route: string): RouteMark {
    return routeMark(version, route, this.#table, this.#routed, this.#places[route]);
  }

  #of(
    version: number,
    route: string,
    split: number,
    shadows: readonly ShadowCopy<T>[],
    fallback: SecondWay<T> | undefined,
  ): RouteDecision<T> {
    return Object.freeze({
      primary: this.targetOf(version),
      mark: this.#mark(version, route),
      charge: this.#charges.of(route, 'direct'),
      split,
      shadows: Object.freeze(shadows),
      judged: this.#judged,
      filtered: undefined,
      fallback,
      ejection: this.#routes?.ejection,
      spared: undefined,
    });
  }
}

const NO_SHADOWS: readonly never[] = Object.freeze([]);

function filteredOf(
  action: Exclude<ModelRoutes['filters'][number]['action'], { readonly reroute: VersionName }>,
): Filtered {
  if ('block' in action) return Object.freeze({ kind: 'blocked', message: action.block });
  return Object.freeze({ kind: 'answered', outputs: Object.freeze(action.answer.map(tensorOfValues)) });
}
