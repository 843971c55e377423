import type { ModelRoutes, ReleaseSplit } from '../../src/core/index.js';

/** Routes that say nothing; `changes` on top. */
export function modelRoutes(changes: Partial<ModelRoutes> = {}): ModelRoutes {
  return {
    labels: {},
    flags: {},
    default: undefined,
    splits: {},
    rules: [],
    shadows: [],
    filters: [],
    fallback: undefined,
    ejection: undefined,
    ...changes,
  };
}

/** A rollout's split of 1 and 2 by the header `x-user`; `changes` on top. */
export function releaseSplit(changes: Partial<ReleaseSplit> = {}): ReleaseSplit {
  return {
    number: 7,
    rollout: 'r',
    baseline: 1,
    candidate: 2,
    canaryBuckets: 0,
    shadowBuckets: 0,
    salt: 's',
    key: { from: 'header', name: 'x-user' },
    ...changes,
  };
}
