import type { ServerConfig } from '../config/index.js';
import type { Clock, Log, SlowRequests } from '../core/index.js';
import { SlowRequestLog } from '../insight/index.js';
import type { Share } from './listeners.js';

/** The log of slow requests of one thread: it has its part of the lines. */
export function slowRequestLog(
  { slowRequests }: ServerConfig,
  { clock, log, share }: { readonly clock: Clock; readonly log: Log; readonly share: Share },
): SlowRequests | undefined {
  const { overMs, timesSlo, timesP99, maxLinesPerMinute } = slowRequests;
  if (overMs === undefined && timesSlo === undefined && timesP99 === undefined) return undefined;
  return new SlowRequestLog({ clock, log, maxLinesPerMinute: maxLinesPerMinute / share.of });
}
