import type { ServerConfig } from '../config/index.js';
import type { Clock } from '../core/index.js';
import type { ServerLog } from '../insight/index.js';
import { type AccessLog, accessLinesOf, openAccessLog } from './access-log.js';
import { type Capture, openCapture } from './capture.js';
import type { CaptureTapSettings } from './capture-line.js';
import { openPayloadLog, type PayloadLog } from './payload-log.js';
import { Timelines, timelineSampler } from './timelines.js';
import { openTracing, type Tracing, type WatchOfThread, watchOf } from './tracing.js';
import type { Environment } from './tracing-settings.js';

export interface RecorderSources {
  /** Ingress threads; 0: this thread takes the requests. */
  readonly threads: number;
  readonly env: Environment;
  readonly clock: Clock;
  readonly log: ServerLog;
}

/** What writes down what passes, each undefined where the configuration does not ask for it: samples, payloads, traces, timelines, a line for each request. */
export class Recorders {
  readonly capture: Capture | undefined;
  readonly payloadLog: PayloadLog | undefined;
  readonly tracing: Tracing | undefined;
  readonly access: AccessLog | undefined;
  readonly timelines: Timelines;
  /** Of this thread, which with ingress threads has the admin API's calls only. */
  readonly #watch: WatchOfThread;

  constructor(config: ServerConfig, { threads, env, clock, log }: RecorderSources) {
    const takers = Math.max(1, threads);
    this.capture = openCapture(config, { threads: takers, clock, log });
    this.tracing = openTracing(config, { env, threads: takers, log });
    this.access = openAccessLog(config, { threads: takers, clock, log });
    this.timelines = new Timelines(config, log);
    this.payloadLog = openPayloadLog(config, { threads: takers, clock, log });
    const here = threads === 0;
    const lines = accessLinesOf(this.access?.sourceSettings(threads), clock);
    const timelines = timelineSampler(here ? this.timelines.sourceSettings() : undefined);
    this.#watch = watchOf(here ? this.tracing?.sourceSettings(0) : undefined, lines, timelines, clock);
  }

  get watch(): WatchOfThread['watch'] {
    return this.#watch.watch;
  }

  /** What copies requests before the data path of a thread. */
  taps(index: number): readonly CaptureTapSettings[] {
    return [this.capture, this.payloadLog].flatMap((one) => (one === undefined ? [] : [one.tapSettings(index)]));
  }

  /** Writes what is not written yet. Nobody is answered any more. */
  async close(): Promise<void> {
    this.#watch.flush();
    await this.tracing?.close();
    await Promise.all([this.capture?.close(), this.payloadLog?.close()]);
    await this.access?.close();
    await this.timelines.close();
  }
}
