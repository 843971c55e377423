import { object } from './schemas.js';

/** JSON Schemas (2020-12) of the settings that can be changed at run time. */

const FLAG = { type: 'boolean' } as const;
const LOG = {
  log_info: FLAG,
  log_warning: FLAG,
  log_error: FLAG,
  log_verbose_level: { type: 'integer', minimum: 0, description: '0 = none; 1 and above: debug' },
  log_format: { type: 'string', enum: ['default', 'ISO8601', 'json'] },
} as const;

export const SETTINGS_SCHEMAS = {
  LogSettings: object({ log_file: { type: 'string' }, ...LOG }),
  LogSettingsRequest: object(LOG, Object.keys(LOG)),
} as const;
