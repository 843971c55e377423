import { BroadcastChannel, MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import {
  CaptureTap,
  type CaptureThreadStart,
  connectTap,
  type ToCaptureThread,
  type WriterNews,
} from '../capture/index.js';
import type { ServerConfig } from '../config/index.js';
import {
  CAPTURE_DROPS,
  type CaptureControl,
  type CaptureDrop,
  type CaptureFigures,
  type CaptureRules,
  type CaptureStatus,
  type Clock,
  type Log,
  ServingError,
} from '../core/index.js';
import type { InferencePort } from '../serving/transport/index.js';

const ENTRY = new URL('../capture/capture-entry.js', import.meta.url);

/** What a thread that takes requests needs to capture some. */
export interface CaptureTapSettings {
  readonly port: MessagePort;
  readonly rules: CaptureRules;
  /** Of the channel on which new rules come. */
  readonly channel: string;
  readonly limits: Pick<ServerConfig['capture'], 'maxRequestBytes' | 'maxBytesPerSecond' | 'maxPendingBytes'>;
  /** Where it counts what it drops. */
  readonly drops: SharedArrayBuffer;
}

/** Captures before the data path of this thread. */
export function tapBefore(inference: InferencePort, settings: CaptureTapSettings, clock: Clock): InferencePort {
  const { port, rules, channel, limits, drops } = settings;
  const tap = connectTap(
    port,
    (send) =>
      new CaptureTap({
        inference,
        rules,
        clock,
        random: Math.random,
        ...limits,
        send,
        drops: new Float64Array(drops),
      }),
  );
  const changes = new BroadcastChannel(channel);
  changes.onmessage = (message) => tap.follow((message as { data: CaptureRules }).data);
  changes.unref();
  return tap;
}

/** Undefined where the configuration names no folder: then requests pass nothing. */
export function openCapture({ capture }: ServerConfig, parts: CaptureParts): Capture | undefined {
  const { folder } = capture;
  return folder === undefined ? undefined : new Capture({ ...capture, folder }, parts);
}

export interface CaptureParts {
  /** Threads that take requests: each has its part of the bounds. */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The captures of a gateway: the thread that writes them, the rules in force, and what became of them. */
export class Capture implements CaptureControl {
  readonly #config: ServerConfig['capture'];
  readonly #parts: CaptureParts;
  readonly #channel = `penstock-capture-${process.pid}-${Math.random()}`;
  readonly #changes = new BroadcastChannel(this.#channel);
  readonly #drops = new Map<number, SharedArrayBuffer>();
  readonly #thread: Worker;
  readonly #ended: Promise<void>;
  #closing = false;
  #rules: CaptureRules;
  #figures = { written: 0, lost: 0, files: 0, bytes: 0 };

  constructor(config: ServerConfig['capture'] & { readonly folder: string }, parts: CaptureParts) {
    this.#config = config;
    this.#parts = parts;
    this.#changes.unref();
    const { percent, redact, tenant, folder, fileBytes, fileSecs, maxBytes } = config;
    this.#rules = { percent, redact, tenant };
    const workerData: CaptureThreadStart = { folder, fileBytes, fileMs: fileSecs * 1000, maxBytes };
    this.#thread = new Worker(ENTRY, { name: 'capture', workerData });
    this.#thread.unref();
    this.#thread.on('message', (news: WriterNews) => this.#note(news));
    this.#thread.on('error', (cause) => parts.log.error('the thread that writes captures ended by a fault', { cause }));
    this.#ended = new Promise((resolve) => {
      this.#thread.once('exit', () => {
        if (!this.#closing) parts.log.error('nothing is captured any more: the thread that writes has ended');
        resolve();
      });
    });
  }

  /** For thread `index`; one that follows it counts on where it ended. */
  tapSettings(index: number): CaptureTapSettings {
    const { port1, port2 } = new MessageChannel();
    const message: ToCaptureThread = { kind: 'tap', port: port2 };
    this.#thread.postMessage(message, [port2]);
    const drops = this.#drops.get(index) ?? new SharedArrayBuffer(CAPTURE_DROPS.length * 8);
    this.#drops.set(index, drops);
    const { maxRequestBytes, maxBytesPerSecond, maxPendingBytes } = this.#config;
    const part = (whole: number) => Math.max(1, Math.floor(whole / this.#parts.threads));
    const limits = {
      maxRequestBytes,
      maxBytesPerSecond: part(maxBytesPerSecond),
      maxPendingBytes: part(maxPendingBytes),
    };
    return { port: port1, rules: this.#rules, channel: this.#channel, limits, drops };
  }

  /** Captures before the data path of this thread. */
  before(inference: InferencePort): InferencePort {
    return tapBefore(inference, this.tapSettings(0), this.#parts.clock);
  }

  status(): CaptureStatus {
    return { folder: this.#config.folder, percent: this.#rules.percent, figures: this.figures() };
  }

  set(model: string, percent: number): CaptureStatus {
    this.#rules = { ...this.#rules, percent: { ...this.#rules.percent, [model]: percent } };
    this.#changes.postMessage(this.#rules);
    this.#parts.log.info('capture changed', { model, percent });
    return this.status();
  }

  figures(): CaptureFigures {
    const counted = CAPTURE_DROPS.map((why, place) => {
      const parts = [...this.#drops.values()].map((drops) => new Float64Array(drops)[place] as number);
      return [why, parts.reduce((sum, part) => sum + part, why === 'write_failed' ? this.#figures.lost : 0)] as const;
    });
    const { written, files, bytes } = this.#figures;
    return { written, files, bytes, dropped: Object.fromEntries(counted) as Record<CaptureDrop, number> };
  }

  /** Writes what is gathered. Requests are over. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#changes.close();
    this.#thread.ref();
    const message: ToCaptureThread = { kind: 'close' };
    this.#thread.postMessage(message);
    await this.#ended;
  }

  #note(news: WriterNews): void {
    const { log } = this.#parts;
    if (news.kind === 'lost') {
      this.#figures.lost += news.rows;
      log.error('captures were lost', { rows: news.rows, why: news.why, folder: this.#config.folder });
      return;
    }
    this.#figures.written += news.rows;
    this.#figures.files++;
    this.#figures.bytes += news.bytes;
    log.debug('captures were written', { rows: news.rows, bytes: news.bytes });
  }
}

/** Where the configuration names no folder. */
export const NO_CAPTURE: CaptureControl = {
  status: () => ({ folder: undefined, percent: {}, figures: { written: 0, files: 0, bytes: 0, dropped: NO_DROPS } }),
  set: () => {
    throw new ServingError(
      'UNSUPPORTED',
      'nothing can be captured: the configuration names no folder (capture.folder)',
    );
  },
};

const NO_DROPS = Object.fromEntries(CAPTURE_DROPS.map((why) => [why, 0])) as Record<CaptureDrop, number>;
