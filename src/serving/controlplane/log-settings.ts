import { type LogControl, type LogSettings, ServingError, shownText } from '../../core/index.js';

/** Settings as they came: JSON values, or those of gRPC's messages. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** The logging extension's object. */
export interface LogSettingsObject {
  readonly log_file: string;
  readonly log_info: boolean;
  readonly log_warning: boolean;
  readonly log_error: boolean;
  readonly log_verbose_level: number;
  readonly log_format: string;
}

type Changes = { -readonly [Name in keyof LogSettings]?: LogSettings[Name] };
type Reader = (changes: Changes, name: string, value: unknown) => void;

/** What each setting does with a value; `null` leaves it as it is. */
const READERS: Readonly<Record<keyof LogSettingsObject, Reader>> = {
  log_file: () => {
    throw new ServingError('UNSUPPORTED', 'log file location can not be updated through network protocol');
  },
  log_info: (changes, name, value) => {
    changes.info = booleanOf(name, value);
  },
  log_warning: (changes, name, value) => {
    changes.warning = booleanOf(name, value);
  },
  log_error: (changes, name, value) => {
    changes.error = booleanOf(name, value);
  },
  log_verbose_level: (changes, name, value) => {
    changes.verboseLevel = levelOf(name, value);
  },
  log_format: (changes, name, value) => {
    if (typeof value !== 'string') throw wrong(name, value, 'a string');
    changes.format = value;
  },
};

export function logSettingsObject(log: LogControl): LogSettingsObject {
  const { file, info, warning, error, verboseLevel, format } = log.settings();
  return {
    log_file: file,
    log_info: info,
    log_warning: warning,
    log_error: error,
    log_verbose_level: verboseLevel,
    log_format: format,
  };
}

/** Changes what is named, all of it or nothing. Throws MALFORMED_REQUEST, and UNSUPPORTED for the file. */
export function changeLogSettings(log: LogControl, values: SettingValues): void {
  const changes: Changes = {};
  for (const [name, value] of Object.entries(values)) {
    const read = Object.hasOwn(READERS, name) ? READERS[name as keyof LogSettingsObject] : undefined;
    if (read === undefined) throw unknownSetting(name);
    if (value !== null) read(changes, name, value);
  }
  log.change(changes);
}

function unknownSetting(name: string): ServingError {
  const known = Object.keys(READERS).join(', ');
  return new ServingError('MALFORMED_REQUEST', `unknown log setting ${shownText(name)}; there are ${known}`);
}

function booleanOf(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(name, value, 'a boolean');
}

function levelOf(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw wrong(name, value, 'an integer from 0');
}

function wrong(name: string, value: unknown, expected: string): ServingError {
  return new ServingError(
    'MALFORMED_REQUEST',
    `${name} is ${JSON.stringify(value)?.slice(0, 64)}, expected ${expected}`,
  );
}
