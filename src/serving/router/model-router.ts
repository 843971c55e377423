import {
  BUCKETS,
  bucketsOf,
  type ChargeSource,
  type InferenceRequest,
  type ModelRoutes,
  type ModelTraffic,
  type ReleaseSplit,
  type RouteGoal,
  type RouteShadow,
  type TensorSpec,
  type WantedTraits,
} from '../../core/index.js';
import { ArmOfKey, type ReleaseSide, SideOfKey } from './assignment.js';
import { type AttributeSource, forgetParsed } from './attribute-reader.js';
import { checkTraffic } from './check-traffic.js';
import { compiledCondition, type HoldsFor } from './condition.js';
import { Filters } from './filters.js';
import { bucketOf, type Draws } from './key-hash.js';
import { DecisionMaker, type RouteDecision, type RouteEntry, type ShadowCopy } from './route-decision.js';
import { DEFAULT, NAMED } from './route-mark.js';
import { wantedBy } from './wanted-traits.js';

/** What a router asks of its surroundings. */
export interface RouterParts {
  /** Name of a request's tenant; empty: it has none. */
  readonly tenant: (request: InferenceRequest) => string;
  readonly draws: Draws;
  readonly charges: ChargeSource;
}

/** What a router is made for. */
export interface RouterSubject<T> {
  /** Ascending. */
  readonly entries: readonly RouteEntry<T>[];
  readonly traffic: ModelTraffic;
  /** Versions that splits pass over for now. */
  readonly ejected: ReadonlySet<number>;
  /** Number of the table. */
  readonly table: number;
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
  readonly subject: RouterSubject<T>;
  readonly wanted: WantedTraits | undefined;
  /** Of requests without a version, unless a rule, a split or a rollout decides otherwise. */
  readonly defaultVersion: number;
  readonly #parts: RouterParts;
  readonly #inputs: readonly TensorSpec[];
  readonly #decisions: DecisionMaker<T>;
  readonly #filters: Filters<T>;
  readonly #named: ReadonlyMap<number, RouteDecision<T>>;
  /** Of every request without a version; undefined: it depends on the request. */
  readonly #always: RouteDecision<T> | undefined;
  readonly #division: Decide<T> | undefined;
  readonly #rules: readonly { readonly holds: HoldsFor; readonly decide: Decide<T> }[] = [];
  readonly #default: Decide<T>;
  readonly #shadows: readonly CompiledShadow<T>[] = [];

  constructor(subject: RouterSubject<T>, parts: RouterParts) {
    const { entries, traffic, table } = subject;
    const { routes, release } = traffic;
    checkTraffic(
      traffic,
      entries.map(({ version }) => version),
    );
    this.subject = subject;
    this.wanted = wantedBy(traffic);
    this.#parts = parts;
    this.#inputs = entries[entries.length - 1]?.inputs ?? [];
    const decisions = new DecisionMaker(entries, traffic, table, parts.charges);
    this.#decisions = decisions;
    this.#filters = new Filters(routes, decisions);
    this.#named = new Map(entries.map(({ version }) => [version, decisions.named(version, NAMED)]));
    this.#division = release?.split && this.#divided(release.split);
    const highest = release?.defaultVersion ?? (entries[entries.length - 1] as RouteEntry<T>).version;
    this.defaultVersion = routes?.default === undefined ? highest : this.#firstOf(routes, routes.default);
    if (routes === undefined) {
      this.#default = this.#toVersion(highest, DEFAULT);
      if (this.#division === undefined) this.#always = decisions.to(highest, DEFAULT);
      return;
    }
    const on = ({ flag }: { readonly flag: string | undefined }) => flag === undefined || routes.flags[flag] === true;
    this.#default = this.#toGoal(routes, routes.default ?? highest, DEFAULT, on);
    this.#rules = routes.rules.filter(on).map(({ when, to, name }) => ({
      holds: compiledCondition(when),
      decide: this.#toGoal(routes, to, name, on),
    }));
    this.#shadows = routes.shadows.filter(on).map((shadow) => this.#shadow(shadow));
  }

  /** Undefined where the request names a version that does not serve. Never throws. */
  route(request: InferenceRequest): RouteDecision<T> | undefined {
    const { version } = request;
    if (this.#always !== undefined) return version === undefined ? this.#always : this.#named.get(version);
    const named = version === undefined ? undefined : this.#named.get(version);
    if (version !== undefined && (named === undefined || this.#filters.none)) return named;
    const from: AttributeSource = { request, tenant: this.#parts.tenant, inputs: this.#inputs };
    const other = () => named ?? this.#decide(from);
    const decision = (this.#filters.none ? undefined : this.#filters.decide(from, other)) ?? other();
    forgetParsed();
    return decision;
  }

  #decide(from: AttributeSource): RouteDecision<T> {
    const rule = this.#rules.find(({ holds }) => holds(from));
    const decision = (rule?.decide ?? this.#default)(from);
    const copies = this.#shadows.length === 0 ? [] : this.#copiesOf(from, decision);
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

  /** Where a goal leads, of a split its first arm. */
  #firstOf(routes: ModelRoutes, goal: RouteGoal): number {
    const arm = Object.hasOwn(routes.splits, goal) ? routes.splits[goal]?.arms[0] : undefined;
    return this.#decisions.numberOf(arm?.to ?? goal);
  }

  #toGoal(
    routes: ModelRoutes,
    goal: RouteGoal,
    route: string,
    on: (entry: { readonly flag: string | undefined }) => boolean,
  ): Decide<T> {
    const decisions = this.#decisions;
    const split = typeof goal === 'string' && Object.hasOwn(routes.splits, goal) ? routes.splits[goal] : undefined;
    if (split === undefined) return this.#toVersion(decisions.numberOf(goal), route);
    // A rule's name says more than the name of the split it leads to.
    const name = route === DEFAULT ? String(goal) : route;
    const versions = split.arms.map(({ to }) => decisions.numberOf(to));
    if (!on(split)) return this.#toVersion(versions[0] as number, name);
    const arms = versions.map((version) => this.#toAdmitted(version, name));
    const { draws } = this.#parts;
    const armOf = new ArmOfKey(
      split,
      versions.map((version) => this.#isEjected(version)),
    );
    return (from) => {
      const bucket = armOf.bucket(from, draws);
      const owner = armOf.owner(bucket);
      const arm = armOf.standIn(bucket);
      const decision = (arms[arm] as Decide<T>)(from);
      return arm === owner ? decision : { ...decision, spared: (arms[owner] as Decide<T>)(from) };
    };
  }

  /** To the version, or where that is ejected and there is a fallback, to that. */
  #toVersion(version: number, route: string): Decide<T> {
    const { fallback } = this.#decisions;
    const elsewhere = fallback !== undefined && fallback.primary !== this.#decisions.targetOf(version);
    if (!elsewhere || !this.#isEjected(version) || this.#isEjected(fallback.mark.version))
      return this.#toAdmitted(version, route);
    const decision = Object.freeze({ ...fallback, spared: this.#decisions.to(version, route) });
    return () => decision;
  }

  #toAdmitted(version: number, route: string): Decide<T> {
    if (this.#division !== undefined && version === this.subject.traffic.release?.split?.baseline)
      return this.#division;
    const decision = this.#decisions.to(version, route);
    return () => decision;
  }

  /** The arms of a rollout are for its guards to judge, by requests that they did get. */
  #isEjected(version: number): boolean {
    const { ejected, traffic } = this.subject;
    const split = traffic.release?.split;
    if (traffic.routes?.ejection === undefined) return false;
    return ejected.has(version) && version !== split?.baseline && version !== split?.candidate;
  }

  #divided(split: ReleaseSplit): Decide<T> {
    const { rollout, number, baseline, candidate } = split;
    const decisions = this.#decisions;
    const { draws } = this.#parts;
    const shadow = Object.freeze({ name: rollout, split: number, target: decisions.targetOf(candidate) });
    const sides: Readonly<Record<ReleaseSide, RouteDecision<T>>> = {
      candidate: decisions.toCandidate(candidate, rollout, number),
      baseline: decisions.to(baseline, rollout, number),
      'baseline-and-shadow': decisions.to(baseline, rollout, number, [shadow]),
    };
    const sideOf = new SideOfKey(split);
    return (from) => sides[sideOf.of(from, draws)];
  }

  #shadow({ name, to, percent, when }: RouteShadow): CompiledShadow<T> {
    return {
      copy: Object.freeze({ name, split: 0, target: this.#decisions.targetOf(this.#decisions.numberOf(to)) }),
      holds: when && compiledCondition(when),
      buckets: bucketsOf(percent),
    };
  }
}
