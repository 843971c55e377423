import {
  ServingError,
  shownText,
  TIMELINE_LEVELS,
  type TimelineLevel,
  type TraceChanges,
  type TraceSettings,
} from '../../core/index.js';
import type { SettingValues } from './log-settings.js';

/** The trace extension's object: all but the level are texts, as Triton's are. */
export interface TraceSettingsObject {
  readonly trace_level: readonly string[];
  readonly trace_rate: string;
  readonly trace_count: string;
  readonly log_frequency: string;
  readonly trace_file: string;
  readonly trace_mode: string;
}

type Changes = { -readonly [Name in keyof TraceChanges]: TraceChanges[Name] };
type Reader = (changes: Changes, value: unknown) => void;

const MAX_UINT32 = 2 ** 32 - 1;
const MAX_INT32 = 2 ** 31 - 1;

const READERS: Readonly<Record<string, Reader>> = {
  trace_file: () => {
    throw new ServingError('UNSUPPORTED', 'trace file location can not be updated through network protocol');
  },
  trace_level: (changes, value) => {
    changes.level = value === null ? null : levelsOf(value);
  },
  trace_rate: (changes, value) => {
    changes.rate = value === null ? null : numberOf('trace_rate', value, 0, MAX_UINT32);
  },
  trace_count: (changes, value) => {
    changes.count = value === null ? null : numberOf('trace_count', value, -1, MAX_INT32);
  },
  log_frequency: (changes, value) => {
    changes.logFrequency = value === null ? null : numberOf('log_frequency', value, 0, MAX_UINT32);
  },
};

export function traceSettingsObject({ level, rate, count, logFrequency, file }: TraceSettings): TraceSettingsObject {
  return {
    trace_level: level.length === 0 ? ['OFF'] : level,
    trace_rate: String(rate),
    trace_count: String(count),
    log_frequency: String(logFrequency),
    trace_file: file,
    trace_mode: 'triton',
  };
}

/** What settings change; `null` clears one. Throws MALFORMED_REQUEST in Triton's words, and UNSUPPORTED for the file. */
export function traceChanges(values: SettingValues): TraceChanges {
  const changes: Changes = {};
  for (const [name, value] of Object.entries(values)) {
    const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
    if (read === undefined) throw malformed(`unknown trace setting ${shownText(name)}`);
    read(changes, value);
  }
  return changes;
}

function levelsOf(value: unknown): readonly TimelineLevel[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (names.includes('OFF')) {
    if (names.length === 1) return [];
    throw malformed("Expect only one trace level 'OFF' is specified");
  }
  const unknown = names.find((name) => !TIMELINE_LEVELS.some((level) => level === name));
  if (names.length === 0 || unknown !== undefined) {
    throw malformed(`Unable to parse 'trace_level', got: ${shown(unknown)}; expected OFF, TIMESTAMPS or TENSORS`);
  }
  return TIMELINE_LEVELS.filter((level) => names.includes(level));
}

function numberOf(name: string, value: unknown, least: number, most: number): number {
  const text = Array.isArray(value) && value.length === 1 ? value[0] : value;
  const number = typeof text === 'number' || (typeof text === 'string' && /^-?\d+$/.test(text)) ? Number(text) : NaN;
  if (!Number.isInteger(number)) throw malformed(`Unable to parse '${name}', got: ${shown(value)}`);
  if (number >= least && number <= most) return number;
  throw malformed(`Unable to parse '${name}', value is out of range [ ${least}, ${most} ], got: ${number}`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 64) : String(JSON.stringify(value)).slice(0, 64);
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
