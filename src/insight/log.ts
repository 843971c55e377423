import { openSync } from 'node:fs';
import { destination as openDestination, pino, stdTimeFunctions } from 'pino';
import type { Log, LogFields } from '../core/index.js';
import { redact, redactText } from './redaction.js';
import { RepeatLimit } from './repeat-limit.js';
import { textLine } from './text-line.js';

/** The levels of a line. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogLevel = LineLevel | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  /** Levels that are left out although `level` lets them through (Triton's `--log-info=false` keeps warnings). */
  readonly muted?: readonly LineLevel[];
  /** `json`: one object a line. `text`: the same for people. */
  readonly format: 'json' | 'text';
  /** `stdout`, `stderr`, a file's path (appended to; its folder must exist), or what takes whole lines. */
  readonly destination: string | { write(line: string): void };
}

/** What of a log can be set while it runs. */
export type LogWhat = Pick<LogOptions, 'level' | 'muted' | 'format'>;

/** The log of the process. */
export interface ServerLog extends Log {
  /** From the next line on. */
  set(what: LogWhat): void;
  /**
   * Reports held-back repetitions and writes out what is buffered; resolves when it is written. Where the reader has gone
   * it may never resolve, but it does not keep the process alive.
   */
  flush(): Promise<void>;
}

/** What is kept for a destination that takes nothing; beyond it lines are dropped rather than memory filled. */
const MOST_BUFFERED_BYTES = 8 * 2 ** 20;

/**
 * A log on pino. Secrets are hidden by field name and by form; a message that repeats is held back after some lines a
 * window and reported as a number. Throws where a file cannot be opened.
 */
export function createLog(options: LogOptions): ServerLog {
  const { lines, flush } = open(options.destination);
  let { muted = [], format }: LogWhat = options;
  const sink = { write: (line: string) => lines.write(format === 'json' ? line : textLine(line)) };
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  const limit = new RepeatLimit();

  const write = (level: LineLevel, message: string, fields: LogFields | undefined) => {
    if (!logger.isLevelEnabled(level) || muted.includes(level)) return;
    const held = (suppressed: number) => logger[level]({ suppressed }, `repeated and not shown: ${message}`);
    if (!limit.allows(`${level} ${message}`, held)) return;
    if (fields === undefined) logger[level](redactText(message));
    else logger[level](redact(fields), redactText(message));
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    set: (what) => {
      logger.level = what.level;
      ({ muted = [], format } = what);
    },
    flush: () => {
      limit.flush();
      return flush();
    },
  };
}

interface Lines {
  readonly lines: { write(line: string): void };
  flush(): Promise<void>;
}

function open(destination: LogOptions['destination']): Lines {
  if (typeof destination !== 'string') return { lines: destination, flush: async () => {} };
  const fd = destination === 'stdout' ? 1 : destination === 'stderr' ? 2 : openSync(destination, 'a');
  // minLength 1 writes at once as 0 does; with 0, flush tells its end before it has come.
  const stream = openDestination({ dest: fd, sync: false, minLength: 1, maxLength: MOST_BUFFERED_BYTES });
  // A reader of the log that went away (EPIPE), or a full disk, must not end the server.
  stream.on('error', () => {});
  return {
    lines: {
      write: (line) => {
        stream.write(line);
      },
    },
    // Not flushSync: where the reader has gone (EPIPE) it retries for ever (sonic-boom 4). What this begins keeps the
    // process alive until it is written or refused.
    flush: () =>
      new Promise((resolve) => {
        stream.flush(() => resolve());
      }),
  };
}
