import { BroadcastChannel, MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import {
  CaptureTap,
  type CaptureThreadStart,
  connectTap,
  type FromCaptureThread,
  readSinkFigures,
  SINK_FIGURES_BYTES,
  type SinkSettings,
  type TapRulesData,
  type ToCaptureThread,
  tapRules,
} from '../capture/index.js';
import { CAPTURE_DROPS, type CaptureDrop, type Clock, type Log, type SinkFigures } from '../core/index.js';
import type { InferencePort } from '../serving/transport/index.js';

const ENTRY = new URL('../capture/capture-entry.js', import.meta.url);

/** Bounds of all threads together. */
export interface CaptureLimits {
  readonly maxBytesPerSecond: number;
  /** On their way to the thread that writes. */
  readonly maxPendingBytes: number;
}

/** What a thread that takes requests needs to capture some. */
export interface CaptureTapSettings {
  readonly port: MessagePort;
  readonly rules: TapRulesData;
  /** Of the channel on which new rules come. */
  readonly channel: string;
  readonly limits: CaptureLimits;
  /** Where it counts what it drops. */
  readonly drops: SharedArrayBuffer;
}

/** Captures before the data path of this thread, for each of these; the first one stands before the others. */
export function tapsBefore(inference: InferencePort, all: readonly CaptureTapSettings[], clock: Clock): InferencePort {
  return all.reduceRight((behind, settings) => tapBefore(behind, settings, clock), inference);
}

function tapBefore(inference: InferencePort, settings: CaptureTapSettings, clock: Clock): InferencePort {
  const { port, rules, channel, limits, drops } = settings;
  const tap = connectTap(
    port,
    (send) =>
      new CaptureTap({
        inference,
        rules: tapRules(rules),
        clock,
        random: Math.random,
        ...limits,
        send,
        drops: new Float64Array(drops),
      }),
  );
  const changes = new BroadcastChannel(channel);
  changes.onmessage = (message) => tap.follow(tapRules((message as { data: TapRulesData }).data));
  changes.unref();
  return tap;
}

export interface CaptureLineOptions {
  /** Of the thread, and of the lines in the log. */
  readonly name: string;
  readonly rules: TapRulesData;
  readonly limits: CaptureLimits;
  readonly sinks: readonly SinkSettings[];
  /** Time that sinks get for what they hold when the gateway ends; after it the thread is ended. */
  readonly closeMs: number;
  /** Threads that take requests: each has its part of the bounds. */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The thread's own way to an end, beside what its sinks take. */
const END_MS = 2000;

/** The way of copies from the threads that take requests to the thread that writes them, and what became of them. */
export class CaptureLine {
  readonly #options: CaptureLineOptions;
  readonly #channel: string;
  readonly #changes: BroadcastChannel;
  readonly #drops = new Map<number, SharedArrayBuffer>();
  readonly #sinks: CaptureThreadStart['sinks'];
  readonly #thread: Worker;
  readonly #ended: Promise<void>;
  #closing = false;
  #rules: TapRulesData;

  constructor(options: CaptureLineOptions) {
    this.#options = options;
    const { name, rules, sinks, log } = options;
    this.#channel = `penstock-${name}-${process.pid}-${Math.random()}`;
    this.#changes = new BroadcastChannel(this.#channel);
    this.#changes.unref();
    this.#rules = rules;
    this.#sinks = sinks.map((sink) => ({ ...sink, figures: new SharedArrayBuffer(SINK_FIGURES_BYTES) }));
    const workerData: CaptureThreadStart = { sinks: this.#sinks };
    this.#thread = new Worker(ENTRY, { name, workerData });
    this.#thread.unref();
    this.#thread.on('message', (news: FromCaptureThread) => log.error(`rows of the ${name} were lost`, { ...news }));
    this.#thread.on('error', (cause) => log.error(`the thread that writes the ${name} ended by a fault`, { cause }));
    this.#ended = new Promise((resolve) => {
      this.#thread.once('exit', () => {
        if (!this.#closing) log.error(`the ${name} is not written any more: its thread has ended`);
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
    const { limits, threads } = this.#options;
    const part = (whole: number) => Math.max(1, Math.floor(whole / threads));
    return {
      port: port1,
      rules: this.#rules,
      channel: this.#channel,
      limits: {
        maxBytesPerSecond: part(limits.maxBytesPerSecond),
        maxPendingBytes: part(limits.maxPendingBytes),
      },
      drops,
    };
  }

  /** In force on every thread some milliseconds later. */
  follow(rules: TapRulesData): void {
    this.#rules = rules;
    this.#changes.postMessage(rules);
  }

  /** What the threads that take requests did not hand on. */
  dropped(): Readonly<Record<CaptureDrop, number>> {
    const counted = CAPTURE_DROPS.map((why, place) => {
      const parts = [...this.#drops.values()].map((drops) => new Float64Array(drops)[place] as number);
      return [why, parts.reduce((sum, part) => sum + part, 0)] as const;
    });
    return Object.fromEntries(counted) as Record<CaptureDrop, number>;
  }

  sinks(): readonly SinkFigures[] {
    return this.#sinks.map(({ name, figures }) => readSinkFigures(name, figures));
  }

  /** Delivers what is gathered, for a while. Requests are over. */
  async close(): Promise<void> {
    const { name, closeMs, log } = this.#options;
    this.#closing = true;
    this.#changes.close();
    this.#thread.ref();
    const message: ToCaptureThread = { kind: 'close', limitMs: closeMs };
    this.#thread.postMessage(message);
    const late = setTimeout(() => {
      log.error(`the thread that writes the ${name} did not end in time`);
      void this.#thread.terminate();
    }, closeMs + END_MS);
    await this.#ended;
    clearTimeout(late);
  }
}
