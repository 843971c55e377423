import type { ServerConfig } from '../config/index.js';
import type { Log } from '../core/index.js';
import { COST_LIMITS, StateStore, stateFile } from '../store/index.js';

/**
 * The state of a configuration. The file is made now where a folder is named or the admin API listens, else with the first
 * release; one that is there is opened in any case. Throws as `StateStore`.
 */
export function stateOf(
  { state: { folder }, admin, repositories, cost }: ServerConfig,
  surroundings: { readonly cwd: string; readonly xdgStateHome: string | undefined },
  log: Log,
): StateStore {
  const file = stateFile({ folder, repositories, ...surroundings });
  const wanted = folder !== undefined || admin.port !== undefined;
  if (file === undefined && wanted) {
    log.info('state is kept in memory only: routes, rollouts and audit end with the process', {
      why: folder === 'off' ? 'it is switched off' : 'this user has no folder for it; name one with --state-dir',
    });
  }
  const costLimits = { ...COST_LIMITS, linesOfPeriod: cost.rollups.linesPerHour };
  return new StateStore({ file, make: wanted ? 'now' : 'needed', log, costLimits });
}
