import {
  type BudgetBoard,
  type BudgetSpec,
  type Clock,
  type InferenceRequest,
  ServingError,
} from '../../core/index.js';
import type { Callers } from './callers.js';

type Budget = Pick<BudgetSpec, 'name' | 'tenant' | 'model'>;

export interface BudgetGateOptions {
  /** In the order of the board. */
  readonly budgets: readonly Budget[];
  readonly board: BudgetBoard;
  readonly callers: Callers;
  readonly clock: Pick<Clock, 'wallMs'>;
}

/**
 * Refuses requests of tenants and models whose budgets are used up, before anything else is done for them. While none is, a
 * request costs the reading of one word.
 */
export class BudgetGate {
  readonly #options: BudgetGateOptions;
  readonly #ofTenants: ReadonlyMap<string, readonly number[]>;
  readonly #ofModels: ReadonlyMap<string, readonly number[]>;

  constructor(options: BudgetGateOptions) {
    this.#options = options;
    this.#ofTenants = placesBy(options.budgets, ({ tenant }) => tenant);
    this.#ofModels = placesBy(options.budgets, ({ model }) => model);
  }

  /** QUOTA_EXCEEDED with the time until the last of the budgets that refuse it begins anew; undefined: none does. */
  refusal(request: InferenceRequest): ServingError | undefined {
    if (!this.#options.board.refusesAny) return undefined;
    const { board, budgets, callers, clock } = this.#options;
    const nowMs = clock.wallMs();
    let last = -1;
    let untilMs = nowMs;
    const look = (places: readonly number[] | undefined) => {
      for (const place of places ?? []) {
        const endMs = board.untilMs(place);
        if (endMs > untilMs) [last, untilMs] = [place, endMs];
      }
    };
    look(this.#ofModels.get(request.model));
    if (this.#ofTenants.size > 0) look(this.#ofTenants.get(callers.tenantOf(request).name));
    if (last < 0) return undefined;
    board.refused(last);
    return exceeded(budgets[last]!, untilMs, nowMs);
  }
}

function placesBy(budgets: readonly Budget[], of: (budget: Budget) => string | undefined): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [place, budget] of budgets.entries()) {
    const name = of(budget);
    if (name !== undefined) places.set(name, [...(places.get(name) ?? []), place]);
  }
  return places;
}

function exceeded({ name, tenant, model }: Budget, untilMs: number, nowMs: number): ServingError {
  const whose = tenant === undefined ? `model '${model}'` : `tenant '${tenant}'`;
  return new ServingError(
    'QUOTA_EXCEEDED',
    `the budget '${name}' of ${whose} is used up until ${new Date(untilMs).toISOString()}`,
    { retryAfterMs: untilMs - nowMs },
  );
}
