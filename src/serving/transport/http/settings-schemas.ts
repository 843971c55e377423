import { list, object } from './schemas.js';

/** JSON Schemas (2020-12) of the settings that can be changed at run time. */

const FLAG = { type: 'boolean' } as const;
const LOG = {
  log_info: FLAG,
  log_warning: FLAG,
  log_error: FLAG,
  log_verbose_level: { type: 'integer', minimum: 0, description: '0 = none; 1 and above: debug' },
  log_format: { type: 'string', enum: ['default', 'ISO8601', 'json'] },
} as const;

const NUMBER = { type: ['string', 'integer', 'null'] } as const;
const TRACE = {
  trace_level: {
    type: ['array', 'null'],
    items: { enum: ['OFF', 'TIMESTAMPS', 'TENSORS'] },
    description: 'What timelines have; OFF alone: none are made',
  },
  trace_rate: { ...NUMBER, description: 'Of one in so many requests' },
  trace_count: { ...NUMBER, description: 'Of so many more; -1 = without an end' },
  log_frequency: { ...NUMBER, description: 'A file of its own for each so many; 0 = one file' },
} as const;

const SIZE = { type: 'integer', minimum: 0 } as const;
const TEXT = { type: 'string' } as const;

export const SETTINGS_SCHEMAS = {
  SharedMemoryRegions: list(object({ name: TEXT, key: TEXT, offset: SIZE, byte_size: SIZE })),
  SharedMemoryRegisterRequest: object(
    { key: { ...TEXT, description: 'As shm_open takes it' }, offset: SIZE, byte_size: SIZE },
    ['offset'],
  ),
  LogSettings: object({ log_file: { type: 'string' }, ...LOG }),
  LogSettingsRequest: object(LOG, Object.keys(LOG)),
  TraceSettings: object({ ...TRACE, trace_file: { type: 'string' }, trace_mode: { const: 'triton' } }),
  TraceSettingsRequest: object(TRACE, Object.keys(TRACE)),
} as const;
