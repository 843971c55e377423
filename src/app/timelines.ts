import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ServerConfig } from '../config/index.js';
import type { Log, TraceControl } from '../core/index.js';
import {
  TimelineBook,
  TimelineFile,
  type TimelineNews,
  type TimelineRules,
  TimelineSampler,
} from '../insight/index.js';

/** What a thread that takes requests needs to write timelines of some. */
export interface TimelineSourceSettings {
  /** To the thread that writes. */
  readonly port: MessagePort;
  readonly rules: TimelineRules;
}

/** `taken`: the writer has taken one. */
type ToSource = TimelineRules | 'taken';

/** Of this thread; undefined where it takes no requests. */
export function timelineSampler(settings: TimelineSourceSettings | undefined): TimelineSampler | undefined {
  if (settings === undefined) return undefined;
  const { port, rules } = settings;
  const sampler = new TimelineSampler((news) => port.postMessage(news));
  sampler.goBy(rules);
  port.on('message', (message: ToSource) => {
    if (message === 'taken') sampler.taken();
    else sampler.goBy(message);
  });
  port.unref();
  return sampler;
}

/** Triton's traces of a gateway: their settings, told to all threads, and the file that they are written to. */
export class Timelines {
  readonly control: TraceControl;
  readonly #book: TimelineBook;
  readonly #file: TimelineFile;
  readonly #log: Log;
  readonly #ports = new Set<MessagePort>();

  /** Throws MALFORMED_REQUEST where the settings cannot be. */
  constructor({ timelines }: ServerConfig, log: Log) {
    const { file = '', ...settings } = timelines;
    const book = new TimelineBook({ ...settings, file });
    this.#book = book;
    this.#log = log;
    const failed = (cause: unknown) => log.error('the trace file cannot be written', { file, cause });
    this.#file = new TimelineFile({ path: file, failed });
    this.control = {
      settings: (model) => book.settings(model),
      change: (model, changes) => {
        book.change(model, changes);
        for (const port of this.#ports) port.postMessage(book.rules());
        this.#file.keep((key) => book.valuesOf(key) !== undefined);
      },
    };
  }

  /** For a thread that takes requests. */
  sourceSettings(): TimelineSourceSettings {
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    port1.on('message', (news: TimelineNews) => {
      this.#take(news);
      port1.postMessage('taken' satisfies ToSource);
    });
    // The thread has ended.
    port1.on('close', () => this.#ports.delete(port1));
    port1.unref();
    return { port: port2, rules: this.#book.rules() };
  }

  /** Writes what was handed on. Requests are over. */
  async close(): Promise<void> {
    for (const port of this.#ports) {
      for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port))
        this.#take(sent.message as TimelineNews);
      port.close();
    }
    await this.#file.close();
  }

  #take({ key, text, dropped }: TimelineNews): void {
    if (dropped > 0)
      this.#log.warn('timelines of requests were dropped: their file is written too slowly', { dropped });
    this.#file.add(key, text, this.#book.valuesOf(key));
  }
}
