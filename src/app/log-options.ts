import type { ServerConfig } from '../config/index.js';
import type { LogLevel, LogOptions } from '../insight/index.js';

/** The lowest level that a configuration lets through; pino knows one threshold, Triton's flags one switch a level. */
export function logOptions(config: ServerConfig['log'], isTTY: boolean): LogOptions {
  const text = config.format === 'ISO8601' || (config.format === 'default' && isTTY && config.file === undefined);
  return { level: level(config), format: text ? 'text' : 'json', destination: config.file ?? 'stderr' };
}

function level({ verboseLevel, info, warning, error }: ServerConfig['log']): LogLevel {
  if (verboseLevel > 0) return 'debug';
  if (info) return 'info';
  if (warning) return 'warn';
  return error ? 'error' : 'silent';
}
