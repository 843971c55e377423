import { BUCKETS, type ModelTraffic, routeFaults } from '../../core/index.js';

/** Throws `Error` where routes or release lead to versions that do not serve, or cannot be. */
export function checkTraffic({ routes, release }: ModelTraffic, versions: readonly number[]): void {
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
