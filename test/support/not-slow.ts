import type { VersionMetrics } from '../../src/core/index.js';

/** The part of a version's figures that is about slow, traced and reused requests, and responses one by one, for tests of other things: there are none. */
export const NOT_SLOW: Pick<VersionMetrics, 'slowNs' | 'slow' | 'traced' | 'responded' | 'reused' | 'reuse'> = {
  slowNs: Number.POSITIVE_INFINITY,
  slow: () => {},
  traced: () => {},
  responded: () => {},
  reused: () => {},
  reuse: () => ({ cacheHit: () => {}, cacheMiss: () => {}, coalesced: () => {} }),
};
