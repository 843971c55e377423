import type { ModelConfig } from '../../config/index.js';

/** What a version policy asks for, of what is there. */
export interface VersionPick {
  /** Versions to serve, ascending. */
  readonly wanted: readonly number[];
  /** Versions that the policy names and no folder has, ascending. */
  readonly missing: readonly number[];
}

/** Triton's `version_policy` (`VersionsToLoad` in model_lifecycle.cc): `latest` 1 by default, `all`, or `specific`. */
export function pickVersions(policy: ModelConfig['version_policy'], present: readonly number[]): VersionPick {
  const ascending = [...new Set(present)].sort((a, b) => a - b);
  if (policy?.all !== undefined) return { wanted: ascending, missing: [] };
  if (policy?.specific !== undefined) {
    const named = [...new Set(policy.specific.versions)].sort((a, b) => a - b);
    const there = new Set(ascending);
    return { wanted: named.filter((v) => there.has(v)), missing: named.filter((v) => !there.has(v)) };
  }
  return { wanted: ascending.slice(-(policy?.latest?.num_versions ?? 1)), missing: [] };
}
