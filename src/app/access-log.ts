import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ServerConfig } from '../config/index.js';
import { type Clock, type Log, ServingError } from '../core/index.js';
import {
  AccessFigures,
  AccessLines,
  type AccessRecord,
  type AccessSums,
  AccessWriter,
  accessDrops,
  combinedFormat,
  jsonFormat,
} from '../insight/index.js';

/** What a thread that takes requests needs to log them. */
export interface AccessSourceSettings {
  readonly config: ServerConfig['accessLog'];
  /** Of this thread. */
  readonly maxPending: number;
  readonly figures: SharedArrayBuffer;
  /** To the thread that writes. */
  readonly port: MessagePort;
}

/** Lines on their way to the thread that writes. */
interface PostedLines {
  readonly text: string;
  readonly lines: number;
}

/** The access log of this thread. */
export interface AccessOfThread {
  add(record: AccessRecord): void;
  /** Hands on what is gathered; when requests are over. */
  flush(): void;
}

/** Undefined where there is none. */
export function accessLinesOf(settings: AccessSourceSettings | undefined, clock: Clock): AccessOfThread | undefined {
  if (settings === undefined) return undefined;
  const { config, port } = settings;
  const lines = new AccessLines({
    clock,
    random: Math.random,
    format: config.format === 'json' ? jsonFormat(config) : combinedFormat(config),
    fraction: config.percent / 100,
    maxPending: settings.maxPending,
    figures: settings.figures,
    post: (text, count) => port.postMessage({ text, lines: count } satisfies PostedLines),
    later: setImmediate,
  });
  port.on('message', (taken: number) => lines.taken(taken));
  port.unref();
  return { add: (record) => lines.add(record), flush: () => lines.flush() };
}

export interface AccessLogParts {
  /** Threads that take requests: each has its part of the bounds. */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Undefined where there is none. Throws MALFORMED_REQUEST where its file cannot be opened. */
export function openAccessLog({ accessLog }: ServerConfig, parts: AccessLogParts): AccessLog | undefined {
  return accessLog.destination === 'off' ? undefined : new AccessLog(accessLog, parts);
}

/** The access log of a gateway: threads make lines, this one writes them. */
export class AccessLog {
  readonly #config: ServerConfig['accessLog'];
  readonly #parts: AccessLogParts;
  readonly #writer: AccessWriter;
  readonly #figures = new Map<number, SharedArrayBuffer>();
  readonly #own = AccessFigures.memory();
  readonly #ports = new Set<MessagePort>();

  constructor(config: ServerConfig['accessLog'], parts: AccessLogParts) {
    this.#config = config;
    this.#parts = parts;
    const { clock, log } = parts;
    const { destination } = config;
    const own = new AccessFigures(this.#own);
    try {
      this.#writer = new AccessWriter({
        destination,
        clock,
        dropped: (lines) => own.dropped('write_failed', lines),
        failed: (cause) => log.error('the access log cannot be written', { destination, cause }),
      });
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code;
      throw new ServingError('MALFORMED_REQUEST', `accessLog.destination: '${destination}' cannot be opened (${why})`, {
        cause,
      });
    }
  }

  /** For thread `index`; one that follows it counts on where it ended. */
  sourceSettings(index: number): AccessSourceSettings {
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    port1.on('message', ({ text, lines }: PostedLines) => {
      this.#writer.write(text, lines);
      port1.postMessage(lines);
    });
    // The thread has ended.
    port1.on('close', () => this.#ports.delete(port1));
    port1.unref();
    const figures = this.#figures.get(index) ?? AccessFigures.memory();
    this.#figures.set(index, figures);
    const maxPending = Math.ceil(this.#config.maxPending / this.#parts.threads);
    return { config: this.#config, maxPending, figures, port: port2 };
  }

  figures(): AccessSums {
    return { written: this.#writer.written, dropped: accessDrops([...this.#figures.values(), this.#own]) };
  }

  /** Writes what was handed on, for a second at most. Requests are over. */
  async close(): Promise<void> {
    for (const port of this.#ports) {
      for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port)) {
        const { text, lines } = sent.message as PostedLines;
        this.#writer.write(text, lines);
      }
      port.close();
    }
    await this.#writer.close();
  }
}
