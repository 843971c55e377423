import type { InferenceRequest, ModelRoutes } from '../../core/index.js';
import type { AttributeSource } from './attribute-reader.js';
import { compiledCondition, type HoldsFor } from './condition.js';
import type { DecisionMaker, RouteDecision } from './route-decision.js';

interface CompiledFilter<T> {
  readonly holds: HoldsFor;
  /** `other`: where a request goes that no filter takes. */
  decide(other: () => RouteDecision<T>): RouteDecision<T>;
}

/** The filters of a model that are switched on, compiled. */
export class Filters<T> {
  readonly #filters: readonly CompiledFilter<T>[];

  constructor(routes: ModelRoutes | undefined, decisions: DecisionMaker<T>) {
    const on = (routes?.filters ?? []).filter(
      ({ enabled, flag }) => enabled && (flag === undefined || routes?.flags[flag] === true),
    );
    this.#filters = on.map(({ name, when, action }) => {
      const holds = compiledCondition(when);
      if ('reroute' in action) {
        const decision = decisions.to(decisions.numberOf(action.reroute), name);
        return { holds, decide: () => decision };
      }
      // The version it would have gone to is named, and checks the request; of each version one decision is made.
      const made = new Map<T, RouteDecision<T>>();
      return {
        holds,
        decide: (other) => {
          const decision = other();
          const known = made.get(decision.primary) ?? decisions.filtered(decision, name, action);
          made.set(decision.primary, known);
          return known;
        },
      };
    });
  }

  get none(): boolean {
    return this.#filters.length === 0;
  }

  /** Undefined where no filter takes the request. */
  decide(from: AttributeSource, other: (request: InferenceRequest) => RouteDecision<T>): RouteDecision<T> | undefined {
    return this.#filters.find(({ holds }) => holds(from))?.decide(() => other(from.request));
  }
}
