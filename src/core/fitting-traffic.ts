import { foreignAnswer } from './filter-answer.js';
import type { ModelRelease } from './release.js';
import type { FilterAction, ModelRoutes, ModelTraffic, ServedTraits, VersionName } from './routes.js';

/** Traffic that leads to versions that serve only, and what had to be left out for that, in words. */
export interface FittingTraffic {
  readonly traffic: ModelTraffic;
  readonly leftOut: readonly string[];
}

/**
 * What of a model's traffic can be done with these versions. One that went away, or failed to load beside others, takes with
 * it what leads to it: its rules and shadows; its share of a split goes to the first version of that which serves. So do filters
 * that answer what is none of the outputs, and shadows of versions that take no copies. Pure.
 */
export function fittingTraffic(
  { routes, release }: ModelTraffic,
  versions: readonly number[],
  traits: ServedTraits = {},
): FittingTraffic {
  const leftOut: string[] = [];
  const traffic = {
    routes: routes && fittingRoutes(routes, versions, traits, (what) => leftOut.push(what)),
    release: release && fittingRelease(release, versions, (what) => leftOut.push(what)),
  };
  return { traffic, leftOut };
}

function fittingRoutes(
  routes: ModelRoutes,
  versions: readonly number[],
  { outputs, uncopied }: ServedTraits,
  leaveOut: (what: string) => void,
): ModelRoutes {
  const serves = (name: VersionName) =>
    versions.includes(typeof name === 'number' ? name : (routes.labels[name] as number));
  const whyUncopiedAt = (name: VersionName) =>
    uncopied?.(typeof name === 'number' ? name : (routes.labels[name] as number));
  const kept = <T>(entries: readonly T[], fits: (entry: T) => boolean, named: (entry: T) => string): readonly T[] =>
    entries.filter((entry) => {
      if (fits(entry)) return true;
      leaveOut(named(entry));
      return false;
    });

  const whyUnfit = (action: FilterAction): string | undefined => {
    if ('reroute' in action) return serves(action.reroute) ? undefined : '';
    if (!('answer' in action) || outputs === undefined) return undefined;
    const why = action.answer.map((tensor) => foreignAnswer(tensor, outputs)).find((one) => one !== undefined);
    return why && ` (${why})`;
  };

  const splits: Record<string, ModelRoutes['splits'][string]> = {};
  for (const [name, split] of Object.entries(routes.splits)) {
    const first = kept(
      split.arms,
      ({ to }) => serves(to),
      ({ to }) => `version ${to} of split '${name}'`,
    )[0];
    if (first === undefined) continue;
    // In its place, so that the keys of the others stay where they are.
    const arms = split.arms.map((arm) => (serves(arm.to) ? arm : { ...arm, to: first.to }));
    splits[name] = { ...split, arms };
  }
  const leads = (goal: VersionName) =>
    typeof goal === 'string' && Object.hasOwn(routes.splits, goal) ? Object.hasOwn(splits, goal) : serves(goal);
  const fallback = kept(
    [routes.fallback],
    (one) => one === undefined || serves(one.to),
    () => 'the fallback',
  )[0];
  const isDefault = routes.default === undefined || leads(routes.default);
  if (!isDefault) leaveOut(`default ${routes.default}`);
  return {
    labels: Object.fromEntries(
      kept(
        Object.entries(routes.labels),
        ([, version]) => versions.includes(version),
        ([name]) => `label '${name}'`,
      ),
    ),
    flags: routes.flags,
    default: isDefault ? routes.default : undefined,
    splits,
    rules: kept(
      routes.rules,
      ({ to }) => leads(to),
      ({ name }) => `rule '${name}'`,
    ),
    filters: kept(
      routes.filters,
      ({ action }) => whyUnfit(action) === undefined,
      ({ name, action }) => `filter '${name}'${whyUnfit(action)}`,
    ),
    fallback,
    ejection: routes.ejection,
    shadows: kept(
      routes.shadows,
      ({ to }) => serves(to) && whyUncopiedAt(to) === undefined,
      ({ name, to }) => `shadow '${name}'${serves(to) ? ` (it takes no copies: ${whyUncopiedAt(to)})` : ''}`,
    ),
  };
}

/** A baseline that is gone has nothing to be compared with; a candidate that is gone gets nothing. */
function fittingRelease(
  release: ModelRelease,
  versions: readonly number[],
  leaveOut: (what: string) => void,
): ModelRelease | undefined {
  const { defaultVersion, split } = release;
  const divides = split === undefined || [split.baseline, split.candidate].every((one) => versions.includes(one));
  if (!divides) leaveOut(`the split of rollout '${split.rollout}'`);
  if (!versions.includes(defaultVersion)) {
    leaveOut(`default version ${defaultVersion} of the release`);
    return undefined;
  }
  return { defaultVersion, split: divides ? split : undefined };
}
