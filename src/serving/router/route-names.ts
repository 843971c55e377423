import type { ModelTraffic } from '../../core/index.js';
import { DEFAULT, FALLBACK, NAMED } from './route-mark.js';

/** Every route that answers may name under this traffic, those of all models first; empty where a model has no routes. */
export function routeNames({ routes, release }: ModelTraffic): readonly string[] {
  if (routes === undefined && release === undefined) return [];
  const names = [DEFAULT, NAMED];
  if (release?.split !== undefined) names.push(release.split.rollout);
  if (routes === undefined) return names;
  if (routes.fallback !== undefined) names.push(FALLBACK);
  const { default: goal } = routes;
  if (typeof goal === 'string' && Object.hasOwn(routes.splits, goal)) names.push(goal);
  names.push(...routes.rules.map(({ name }) => name), ...routes.filters.map(({ name }) => name));
  return [...new Set(names)];
}
