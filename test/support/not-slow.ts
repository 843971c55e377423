import type { RequestMetrics } from '../../src/core/index.js';

/** The part of a version's figures that is about slow and traced requests and responses one by one, for tests of other things: there are none. */
export const NOT_SLOW: Pick<RequestMetrics, 'slowNs' | 'slow' | 'traced' | 'responded'> = {
  slowNs: Number.POSITIVE_INFINITY,
  slow: () => {},
  traced: () => {},
  responded: () => {},
};
