import type { ServerConfig } from '../config/index.js';
import type { LogOptions } from '../insight/index.js';

/** The log's options of a configuration: Triton's flags are one switch a level, verbose counts as debug. */
export function logOptions(config: ServerConfig['log'], isTTY: boolean): LogOptions {
  const { verboseLevel, info, warning, error } = config;
  const text = config.format === 'ISO8601' || (config.format === 'default' && isTTY && config.file === undefined);
  const switches = { info, warn: warning, error };
  return {
    level: verboseLevel > 0 ? 'debug' : 'info',
    muted: (['info', 'warn', 'error'] as const).filter((level) => !switches[level]),
    format: text ? 'text' : 'json',
    destination: config.file ?? 'stderr',
  };
}
