import { foreignAnswer } from './filter-answer.js';
import { didYouMean } from './nearest-name.js';
import {
  BUCKETS,
  bucketsOf,
  type ModelRoutes,
  type RouteCondition,
  type ServedTraits,
  type VersionName,
} from './routes.js';
import { plainTensorFault } from './tensor-of-values.js';

/** What is wrong with routes, and where: keys from their root. */
export interface RouteFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * All that routes say and that cannot be: names nobody defined or that two things have, weights that do not make a whole.
 * `versions`: those that serve or are about to; undefined: not known yet, nothing is said of them. `traits`: theirs, likewise.
 */
export function routeFaults(
  routes: ModelRoutes,
  versions?: readonly number[],
  { outputs, uncopied }: ServedTraits = {},
): RouteFault[] {
  const faults: RouteFault[] = [];
  const fault = (path: RouteFault['path'], message: string) => faults.push({ path, message });
  const { labels, splits, flags } = routes;

  const served = (version: number, path: RouteFault['path']) => {
    if (versions !== undefined && !versions.includes(version))
      fault(path, `version ${version} is not served; served: ${versions.join(', ') || 'none'}`);
  };
  const version = (name: VersionName, path: RouteFault['path']) => {
    if (typeof name === 'number') served(name, path);
    else if (!Object.hasOwn(labels, name)) {
      const split = Object.hasOwn(splits, name) ? `'${name}' is a split, here stands a version or label` : undefined;
      fault(path, split ?? `no label '${name}'${didYouMean(name, Object.keys(labels))}`);
    }
  };
  const goal = (name: VersionName, path: RouteFault['path']) => {
    if (typeof name === 'number') served(name, path);
    else if (!Object.hasOwn(labels, name) && !Object.hasOwn(splits, name))
      fault(path, `no label or split '${name}'${didYouMean(name, [...Object.keys(labels), ...Object.keys(splits)])}`);
  };
  const flag = (name: string | undefined, path: RouteFault['path']) => {
    if (name !== undefined && !Object.hasOwn(flags, name))
      fault([...path, 'flag'], `no flag '${name}'${didYouMean(name, Object.keys(flags))}`);
  };
  const unique = (list: string, entries: readonly { readonly name: string }[]) => {
    const names = entries.map(({ name }) => name);
    for (const [i, name] of names.entries())
      if (names.indexOf(name) < i) fault([list, i, 'name'], `two ${list} are named '${name}'`);
  };

  for (const [name, number] of Object.entries(labels)) {
    served(number, ['labels', name]);
    if (Object.hasOwn(splits, name)) fault(['splits', name], `a label is named '${name}' too`);
  }
  if (routes.default !== undefined) goal(routes.default, ['default']);
  for (const [name, split] of Object.entries(splits)) {
    const path = ['splits', name];
    flag(split.flag, path);
    for (const [i, { to }] of split.arms.entries()) version(to, [...path, 'arms', i, 'to']);
    const sum = split.arms.reduce((all, { percent }) => all + bucketsOf(percent), 0);
    if (sum !== BUCKETS) fault([...path, 'arms'], `the percentages sum to ${sum / 100}, expected 100`);
  }
  unique('rules', routes.rules);
  for (const [i, rule] of routes.rules.entries()) {
    goal(rule.to, ['rules', i, 'to']);
    flag(rule.flag, ['rules', i]);
    faults.push(...conditionFaults(rule.when, ['rules', i, 'when']));
  }
  unique('filters', routes.filters);
  for (const [i, { when, action, flag: name }] of routes.filters.entries()) {
    const path = ['filters', i];
    flag(name, path);
    faults.push(...conditionFaults(when, [...path, 'when']));
    if ('reroute' in action) version(action.reroute, [...path, 'reroute']);
    if (!('answer' in action)) continue;
    for (const [n, tensor] of action.answer.entries()) {
      const why = plainTensorFault(tensor);
      if (why !== undefined) fault([...path, 'answer', n, 'data'], why);
      const foreign = outputs && foreignAnswer(tensor, outputs);
      if (foreign !== undefined) fault([...path, 'answer', n], foreign);
    }
  }
  if (routes.fallback !== undefined) version(routes.fallback.to, ['fallback', 'to']);
  unique('shadows', routes.shadows);
  for (const [i, shadow] of routes.shadows.entries()) {
    version(shadow.to, ['shadows', i, 'to']);
    const candidate = typeof shadow.to === 'number' ? shadow.to : labels[shadow.to];
    const why = candidate === undefined ? undefined : uncopied?.(candidate);
    if (why !== undefined) fault(['shadows', i, 'to'], `version ${candidate} takes no copies of requests: ${why}`);
    flag(shadow.flag, ['shadows', i]);
    if (shadow.when !== undefined) faults.push(...conditionFaults(shadow.when, ['shadows', i, 'when']));
  }
  return faults;
}

const DEEPEST_CONDITION = 8;
const COMPARISONS = ['equals', 'in', 'prefix', 'below', 'above', 'exists'] as const;

function conditionFaults(condition: RouteCondition, path: RouteFault['path'], depth = 1): RouteFault[] {
  if (depth > DEEPEST_CONDITION)
    return [{ path, message: `conditions are nested more than ${DEEPEST_CONDITION} deep` }];
  if ('not' in condition) return conditionFaults(condition.not, [...path, 'not'], depth + 1);
  for (const key of ['all', 'any'] as const) {
    const parts = (condition as Partial<Record<typeof key, readonly RouteCondition[]>>)[key];
    if (parts !== undefined) return parts.flatMap((part, i) => conditionFaults(part, [...path, key, i], depth + 1));
  }
  if (COMPARISONS.some((name) => name in condition)) return [];
  return [{ path, message: `expected a comparison: ${COMPARISONS.join(', ')}` }];
}
