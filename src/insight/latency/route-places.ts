import { ROUTE_PLACES } from '../request-figures.js';

/** Name of the figures of all routes of a model that have no place of their own. */
export const OTHER_ROUTES = '(others)';

/**
 * Where the figures of a model's routes are kept. The first names that come have a place of their own for as long as the
 * process lives, so that counters never change what they count; all others share the last one.
 */
export class RoutePlaces {
  readonly #byModel = new Map<string, Map<string, number>>();

  /** The place of each of these routes. */
  placesOf(model: string, routes: readonly string[]): Readonly<Record<string, number>> {
    if (routes.length === 0) return {};
    const known = this.#byModel.get(model) ?? new Map<string, number>();
    this.#byModel.set(model, known);
    const places: Record<string, number> = Object.create(null);
    for (const route of routes) {
      if (!known.has(route) && known.size < ROUTE_PLACES - 1) known.set(route, known.size + 1);
      places[route] = known.get(route) ?? ROUTE_PLACES;
    }
    return { ...places };
  }

  /** Routes of a model that have a place, and the others together. */
  *of(model: string): Iterable<readonly [route: string, place: number]> {
    const known = this.#byModel.get(model);
    if (known === undefined) return;
    yield* known;
    yield [OTHER_ROUTES, ROUTE_PLACES];
  }

  /** Undefined where a route has no place of its own. */
  placeOf(model: string, route: string): number | undefined {
    return route === OTHER_ROUTES ? ROUTE_PLACES : this.#byModel.get(model)?.get(route);
  }
}
