import type { ServerConfig } from '../config/index.js';
import type { ShadowLimits } from '../serving/dataplane/index.js';

/** What copies of requests may take on a thread, as configured. */
export function shadowLimits({ shadows }: ServerConfig): ShadowLimits {
  const { maxInFlight, maxBytes, absoluteTolerance: absolute, relativeTolerance: relative } = shadows;
  return { maxInFlight, maxBytes, tolerances: { absolute, relative } };
}
