import {
  BUCKETS,
  bucketsOf,
  type InferenceRequest,
  type ModelRoutes,
  type ModelTraffic,
  type ReleaseSplit,
  type RouteGoal,
  type RouteMark,
  type RouteShadow,
  routeFaults,
  type TensorSpec,
  type VersionName,
  type WantedTraits,
} from '../../core/index.js';
import { ArmOfKey, type ReleaseSide, SideOfKey } from './assignment.js';
import { type AttributeSource, forgetParsed } from './attribute-reader.js';
import { compiledCondition, type HoldsFor } from './condition.js';
import { bucketOf, type Draws } from './key-hash.js';
import { DEFAULT, NAMED, routeMark } from './route-mark.js';
import { wantedBy } from './wanted-traits.js';

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

/** Where one request goes. Made with the table; only one with an operator's shadows is made for its request. */
export interface RouteDecision<T> {
  readonly primary: T;
  /** Version, name of the route, number of the table. */
  readonly mark: RouteMark;
  /** `ReleaseSplit.number` of the split that assigned it; 0 = none did. */
  readonly split: number;
  readonly shadows: readonly ShadowCopy<T>[];
}

/** What a router asks of its surroundings. */
export interface RouterParts {
  /** Name of a request's tenant; empty: it has none. */
  readonly tenant: (request: InferenceRequest) => string;
  readonly draws: Draws;
}

type Decide<T> = (from: AttributeSource) => RouteDecision<T>;

interface CompiledShadow<T> {
  readonly copy: ShadowCopy<T>;
  readonly holds: HoldsFor | undefined;
  readonly buckets: number;
}

/**
 * The routes of one model in one table, compiled: conditions as functions, keys to buckets, decisions with their texts. A model
 * without routes costs a look-up. Throws `Error` where routes or release do not fit the versions (whoever publishes makes them fit).
 */
export class ModelRouter<T> {
  readonly entries: readonly RouteEntry<T>[];
  readonly wanted: WantedTraits | undefined;
  /** Number of the table that it was made for. */
  readonly table: number;
  readonly #routed: boolean;
  readonly #parts: RouterParts;
  readonly #inputs: readonly TensorSpec[];
  readonly #named = new Map<number, RouteDecision<T>>();
  /** Of every request without a version; undefined: it depends on the request. */
  readonly #always: RouteDecision<T> | undefined;
  readonly #division: ((from: AttributeSource) => RouteDecision<T>) | undefined;
  readonly #baseline: number | undefined;
  readonly #rules: readonly { readonly holds: HoldsFor; readonly decide: Decide<T> }[] = [];
  readonly #default: Decide<T>;
  readonly #shadows: readonly CompiledShadow<T>[] = [];

  constructor(entries: readonly RouteEntry<T>[], traffic: ModelTraffic, table: number, parts: RouterParts) {
    this.entries = entries;
    this.table = table;
    this.#parts = parts;
    this.#inputs = entries[entries.length - 1]?.inputs ?? [];
    this.wanted = wantedBy(traffic);
    const { routes, release } = traffic;
    checkTraffic(traffic, entries);
    this.#routed = routes !== undefined || release !== undefined;
    for (const { version } of entries) this.#named.set(version, this.#decision(version, NAMED));
    const split = release?.split;
    this.#baseline = split?.baseline;
    this.#division = split && this.#divided(split);
    const highest = release?.defaultVersion ?? (entries[entries.length - 1] as RouteEntry<T>).version;
    if (routes === undefined) {
      this.#default = this.#toVersion(highest, DEFAULT);
      if (split === undefined) this.#always = this.#decision(highest, DEFAULT);
      return;
    }
    const on = ({ flag }: { readonly flag: string | undefined }) => flag === undefined || routes.flags[flag] === true;
    this.#default = this.#toGoal(routes, routes.default ?? highest, DEFAULT, on);
    this.#rules = routes.rules.filter(on).map(({ when, to, name }) => ({
      holds: compiledCondition(when),
      decide: this.#toGoal(routes, to, name, on),
    }));
    this.#shadows = routes.shadows.filter(on).map((shadow) => this.#shadow(routes, shadow));
  }

  /** Undefined where the request names a version that does not serve. Never throws. */
  route(request: InferenceRequest): RouteDecision<T> | undefined {
    if (request.version !== undefined) return this.#named.get(request.version);
    return this.#always ?? this.#decide(request);
  }

  #decide(request: InferenceRequest): RouteDecision<T> {
    const from: AttributeSource = { request, tenant: this.#parts.tenant, inputs: this.#inputs };
    const rule = this.#rules.find(({ holds }) => holds(from));
    const decision = (rule?.decide ?? this.#default)(from);
    const copies = this.#shadows.length === 0 ? [] : this.#copiesOf(from, decision);
    forgetParsed();
    return copies.length === 0 ? decision : { ...decision, shadows: [...decision.shadows, ...copies] };
  }

  #copiesOf(from: AttributeSource, { primary }: RouteDecision<T>): ShadowCopy<T>[] {
    return this.#shadows
      .filter(
        ({ copy, holds, buckets }) =>
          copy.target !== primary &&
          (holds === undefined || holds(from)) &&
          (buckets === BUCKETS || bucketOf(this.#parts.draws.next()) < buckets),
      )
      .map(({ copy }) => copy);
  }

  #toGoal(
    routes: ModelRoutes,
    goal: RouteGoal,
    route: string,
    on: (entry: { readonly flag: string | undefined }) => boolean,
  ): Decide<T> {
    const split = typeof goal === 'string' && Object.hasOwn(routes.splits, goal) ? routes.splits[goal] : undefined;
    if (split === undefined) return this.#toVersion(numberOf(routes, goal), route);
    // A rule's name says more than the name of the split it leads to.
    const name = route === DEFAULT ? String(goal) : route;
    const arms = split.arms.map(({ to }) => this.#toVersion(numberOf(routes, to), name));
    if (!on(split)) return arms[0] as Decide<T>;
    const { draws } = this.#parts;
    const armOf = new ArmOfKey(split);
    return (from) => (arms[armOf.of(from, draws)] as Decide<T>)(from);
  }

  #toVersion(version: number, route: string): Decide<T> {
    if (this.#division !== undefined && version === this.#baseline) return this.#division;
    const decision = this.#decision(version, route);
    return () => decision;
  }

  #divided(split: ReleaseSplit): Decide<T> {
    const { rollout, number } = split;
    const { draws } = this.#parts;
    const shadow = { name: rollout, split: number, target: this.#targetOf(split.candidate) };
    const sides: Readonly<Record<ReleaseSide, RouteDecision<T>>> = {
      candidate: this.#decision(split.candidate, rollout, number),
      baseline: this.#decision(split.baseline, rollout, number),
      'baseline-and-shadow': this.#decision(split.baseline, rollout, number, [shadow]),
    };
    const sideOf = new SideOfKey(split);
    return (from) => sides[sideOf.of(from, draws)];
  }

  #shadow(routes: ModelRoutes, { name, to, percent, when }: RouteShadow): CompiledShadow<T> {
    return {
      copy: Object.freeze({ name, split: 0, target: this.#targetOf(numberOf(routes, to)) }),
      holds: when && compiledCondition(when),
      buckets: bucketsOf(percent),
    };
  }

  #targetOf(version: number): T {
    return (this.entries.find((entry) => entry.version === version) as RouteEntry<T>).target;
  }

  #decision(
    version: number,
    route: string,
    split = 0,
    shadows: readonly ShadowCopy<T>[] = NO_SHADOWS,
  ): RouteDecision<T> {
    const mark = routeMark(version, route, this.table, this.#routed);
    return Object.freeze({ primary: this.#targetOf(version), mark, split, shadows: Object.freeze(shadows) });
  }
}

const NO_SHADOWS: readonly never[] = Object.freeze([]);

function numberOf({ labels }: ModelRoutes, name: VersionName): number {
  return typeof name === 'number' ? name : (labels[name] as number);
}

function checkTraffic({ routes, release }: ModelTraffic, entries: readonly RouteEntry<unknown>[]): void {
  const versions = entries.map(({ version }) => version);
  const [fault] = routes === undefined ? [] : routeFaults(routes, versions);
  if (fault !== undefined) throw new Error(`routes that cannot be: ${fault.path.join('.')}: ${fault.message}`);
  if (release === undefined) return;
  const { defaultVersion, split } = release;
  const named = split === undefined ? [defaultVersion] : [defaultVersion, split.baseline, split.candidate];
  const absent = named.find((version) => !versions.includes(version));
  if (absent !== undefined) throw new Error(`a release names version ${absent}, served are ${versions.join(', ')}`);
  for (const buckets of split === undefined ? [] : [split.canaryBuckets, split.shadowBuckets])
    if (!Number.isInteger(buckets) || buckets < 0 || buckets > BUCKETS)
      throw new Error(`a release has ${buckets} buckets, expected 0 to ${BUCKETS}`);
}
