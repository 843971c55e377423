import { randomUUID } from 'node:crypto';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { ServerConfig } from '../config/index.js';
import type { Clock, Log, RequestWatch } from '../core/index.js';
import {
  type HeadRules,
  RequestWatcher,
  type TimelineSampler,
  type ToTraceThread,
  TraceFigures,
  type TraceNews,
  TraceOutbox,
  type TraceSums,
  type TraceThreadStart,
  traceSums,
  withoutTraces,
} from '../insight/index.js';
import type { AccessOfThread } from './access-log.js';
import { type Environment, type TracingSettings, tracingSettings } from './tracing-settings.js';
import { PENSTOCK_VERSION } from './version.js';

const ENTRY = new URL('../insight/traces/trace-entry.js', import.meta.url);

/** What a thread that takes requests needs to trace some. */
export interface TraceSourceSettings {
  /** To the thread that exports. */
  readonly port: MessagePort;
  readonly head: HeadRules;
  readonly tracing: ServerConfig['tracing'];
  /** Of this thread. */
  readonly tracesPerSecond: number;
  readonly figures: SharedArrayBuffer;
}

/** Watches the requests of this thread. Without settings no traces are made, but their contexts are known. */
export function watchOf(
  settings: TraceSourceSettings | undefined,
  access: AccessOfThread | undefined,
  timelines: TimelineSampler | undefined,
  clock: Clock,
): WatchOfThread {
  const logged = access?.add.bind(access);
  if (settings === undefined)
    return {
      watch: withoutTraces({ clock, random: Math.random, access: logged, timelines }),
      flush: () => access?.flush(),
    };
  const { port, head, tracing, tracesPerSecond, figures } = settings;
  const post = (records: unknown) => port.postMessage(records);
  const outbox = new TraceOutbox({ clock, tracesPerSecond, figures, post });
  port.on('message', (records: number) => outbox.taken(records));
  port.unref();
  const { keepErrors, keepSlowerThanMs } = tracing;
  const parts = {
    clock,
    random: Math.random,
    head,
    keepErrors,
    keepSlowerThanNs: keepSlowerThanMs === undefined ? Number.POSITIVE_INFINITY : keepSlowerThanMs * 1e6,
    mayKeep: outbox.mayKeep.bind(outbox),
    send: outbox.send.bind(outbox),
    access: logged,
    timelines,
  };
  const flush = () => {
    outbox.flush();
    access?.flush();
  };
  return { watch: new RequestWatcher(parts, true), flush };
}

export interface WatchOfThread {
  readonly watch: RequestWatch;
  /** Hands on what is gathered; when requests are over. */
  flush(): void;
}

export interface TracingParts {
  readonly env: Environment;
  /** Threads that take requests: each has its part of the bounds. */
  readonly threads: number;
  readonly log: Log;
}

/** Undefined where no traces are made. Throws MALFORMED_REQUEST as `tracingSettings`. */
export function openTracing({ tracing }: ServerConfig, parts: TracingParts): Tracing | undefined {
  const settings = tracingSettings({ tracing }, parts.env);
  return settings && new Tracing(tracing, settings, parts);
}

/** The traces of a gateway: the thread that exports them, and what became of them. */
export class Tracing {
  readonly #config: ServerConfig['tracing'];
  readonly #settings: TracingSettings;
  readonly #parts: TracingParts;
  readonly #thread: Worker;
  readonly #ended: Promise<void>;
  readonly #figures = new Map<number, SharedArrayBuffer>();
  readonly #exported = TraceFigures.memory();
  #closing = false;

  constructor(config: ServerConfig['tracing'], settings: TracingSettings, parts: TracingParts) {
    this.#config = config;
    this.#settings = settings;
    this.#parts = parts;
    const { log } = parts;
    const workerData: TraceThreadStart = {
      exporter: { ...settings.exporter, version: PENSTOCK_VERSION, instanceId: randomUUID() },
      maxWaiting: config.maxWaitingSpans,
      everyMs: config.exportEveryMs,
      exitMs: config.exitTimeoutMs,
      zeroMs: performance.timeOrigin,
      figures: this.#exported,
    };
    this.#thread = new Worker(ENTRY, { name: 'traces', workerData });
    this.#thread.unref();
    this.#thread.on('message', ({ message, why }: TraceNews) => log.warn(message, { why }));
    this.#thread.on('error', (cause) => log.error('the thread that exports traces ended by a fault', { cause }));
    this.#ended = new Promise((resolve) => {
      this.#thread.once('exit', () => {
        if (!this.#closing) log.error('no traces are exported any more: the thread that does has ended');
        resolve();
      });
    });
    const { protocol, endpoint } = settings.exporter;
    // An endpoint may carry a password.
    const to = endpoint === undefined ? 'as OTEL_EXPORTER_OTLP_ENDPOINT says' : new URL(endpoint).host;
    log.info('traces are exported', { protocol, to, ...settings.head });
  }

  /** For thread `index`; one that follows it counts on where it ended. */
  sourceSettings(index: number): TraceSourceSettings {
    const { port1, port2 } = new MessageChannel();
    const message: ToTraceThread = { kind: 'source', port: port2 };
    this.#thread.postMessage(message, [port2]);
    const figures = this.#figures.get(index) ?? TraceFigures.memory();
    this.#figures.set(index, figures);
    const tracesPerSecond = this.#config.maxTracesPerSecond / this.#parts.threads;
    return { port: port1, head: this.#settings.head, tracing: this.#config, tracesPerSecond, figures };
  }

  figures(): TraceSums {
    return traceSums([...this.#figures.values(), this.#exported]);
  }

  /** Exports what is gathered, for as long as `tracing.exitTimeoutMs`. Requests are over. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#thread.ref();
    const message: ToTraceThread = { kind: 'close' };
    this.#thread.postMessage(message);
    await this.#ended;
  }
}
