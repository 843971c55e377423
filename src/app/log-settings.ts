import { LOG_FORMATS, type ServerConfig } from '../config/index.js';
import { type LogControl, ServingError } from '../core/index.js';
import type { ServerLog } from '../insight/index.js';
import { logOptions } from './log-options.js';

type LogConfig = ServerConfig['log'];

/** The log's settings while it runs, beginning with those of the configuration. */
export function logControl(config: LogConfig, isTTY: boolean, log: ServerLog): LogControl {
  let current = config;
  return {
    settings: () => {
      const { file = '', info, warning, error, verboseLevel, format } = current;
      return { file, info, warning, error, verboseLevel, format };
    },
    change: (changes) => {
      const next = { ...current, ...changes };
      current = { ...next, format: checkedFormat(next.format) };
      log.set(logOptions(current, isTTY));
    },
  };
}

function checkedFormat(format: string): LogConfig['format'] {
  const known = LOG_FORMATS.find((name) => name === format);
  if (known !== undefined) return known;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `invalid argument for --log_format, got: ${format.slice(0, 64)}; expected ${LOG_FORMATS.join(', ')}`,
  );
}
