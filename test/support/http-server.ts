import { connect, type Socket } from 'node:net';
import { inflateSync, unzipSync } from 'node:zlib';
import { type Clock, type Log, type Offload, ServingError } from '../../src/core/index.js';
import type { Arena } from '../../src/serving/arena/index.js';
import { decodeV2Json } from '../../src/serving/codec/index.js';
import { decodePredict } from '../../src/serving/codec/predict-rest/offload-predict.js';
import { ControlPlane } from '../../src/serving/controlplane/index.js';
import { type HttpOptions, type HttpServer, NO_REGIONS, startHttp } from '../../src/serving/transport/index.js';
import { FakeFeedback } from './fake-feedback.js';
import { FakeInference } from './fake-inference.js';
import { FakeLogControl } from './fake-log-control.js';
import { FakeModels } from './fake-models.js';
import { FakeTraceControl } from './fake-trace-control.js';
import { adminAuthority } from './kept-audit.js';
import { poisonedArena } from './poisoned-arena.js';
import { SCHEDULER } from './scheduler-report.js';
import { modelSpec } from './specs.js';

const CLOCK: Clock = {
  nowNs: () => Number(process.hrtime.bigint()),
  wallMs: () => Date.now(),
  setTimer: (atNs, fire) => {
    const timer = setTimeout(fire, Math.max(0, (atNs - Number(process.hrtime.bigint())) / 1e6));
    timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};

/** Log lines as they come. */
export class KeptLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: unknown }[] = [];
  debug = (message: string, fields?: unknown): void => this.#keep('debug', message, fields);
  info = (message: string, fields?: unknown): void => this.#keep('info', message, fields);
  warn = (message: string, fields?: unknown): void => this.#keep('warn', message, fields);
  error = (message: string, fields?: unknown): void => this.#keep('error', message, fields);

  #keep(level: string, message: string, fields: unknown): void {
    this.lines.push({ level, message, fields });
  }
}

/** The pool's tasks on this thread, one turn later; buffers are detached as a transfer would. */
export class InlineOffload {
  readonly ran: string[] = [];

  run = (async (task: string, input: { body: Uint8Array; encoding?: string; maxBytes?: number }) => {
    this.ran.push(task);
    // What is not an ArrayBuffer of its own would take somebody else's bytes along.
    if (input.body.byteLength !== input.body.buffer.byteLength) throw new Error('the body shares its buffer');
    const moved = { ...input, body: structuredClone(input.body, { transfer: [input.body.buffer as ArrayBuffer] }) };
    if (task === 'decodeV2Json') return decodeV2Json(moved as never);
    if (task === 'decodePredict') return decodePredict(moved as never);
    try {
      const options = { maxOutputLength: moved.maxBytes as number };
      const plain = moved.encoding === 'deflate' ? inflateSync(moved.body, options) : unzipSync(moved.body, options);
      return new Uint8Array(plain);
    } catch (cause) {
      const large = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      throw new ServingError(
        large ? 'BODY_TOO_LARGE' : 'MALFORMED_REQUEST',
        `decompression: ${(cause as Error).message}`,
      );
    }
  }) as Offload['run'];
}

export interface HttpFixture {
  readonly server: HttpServer;
  readonly url: string;
  readonly inference: FakeInference;
  readonly models: FakeModels;
  readonly feedback: FakeFeedback;
  readonly offload: InlineOffload;
  readonly log: KeptLog;
  readonly memory: Arena;
  readonly process: { live: boolean; ready: boolean };
}

/** A real server on a free port, over the scriptable data path and a repository in memory that holds the model `m`. */
export async function startFixture(options: Partial<HttpOptions> = {}): Promise<HttpFixture> {
  const inference = new FakeInference();
  const models = new FakeModels([modelSpec()]);
  const feedback = new FakeFeedback();
  const offload = new InlineOffload();
  const log = new KeptLog();
  const memory = poisonedArena();
  const process = { live: true, ready: true };
  const control = new ControlPlane({
    models,
    routes: models,
    statistics: { statistics: () => undefined },
    schedulers: { scheduler: () => SCHEDULER },
    latencies: { latency: () => undefined },
    slos: { statuses: () => [], sinceMs: 0 },
    feedback,
    process: { live: () => process.live, ready: () => process.ready },
    strictReadiness: false,
    serverName: 'penstock',
    version: '0.0.0',
    authority: adminAuthority('secret'),
    logging: new FakeLogControl(),
    tracing: new FakeTraceControl(),
    memory: NO_REGIONS,
    sharedMemory: false,
  });
  const specs = {
    specOf: (name: string, version: number | undefined) => models.spec(name, version),
    versionOf: (name: string, label: string) => models.labelled(name, label),
    textModels: () => [],
  };
  const server = await startHttp({
    inference,
    specs,
    control,
    offload,
    clock: CLOCK,
    log,
    memory,
    port: 0,
    ...options,
  });
  return { server, url: `http://127.0.0.1:${server.port}`, inference, models, feedback, offload, log, memory, process };
}

/** A socket that sends bytes as they are and gathers what comes back. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  readonly closed: Promise<void>;
  #waiting: { readonly text: string; readonly resolve: () => void }[] = [];

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect(port, host);
    this.socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
      const waiting = this.#waiting;
      this.#waiting = waiting.filter(({ text }) => !this.received.includes(text));
      for (const waiter of waiting) if (this.received.includes(waiter.text)) waiter.resolve();
    });
    // A reset is one way for a server to close; `closed` tells of it.
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        for (const { resolve: wake } of this.#waiting) wake();
        resolve();
      });
    });
  }

  send(data: string | Uint8Array): this {
    this.socket.write(data);
    return this;
  }

  /** Resolves when the text has come, or the connection is closed. */
  until(text: string): Promise<void> {
    if (this.received.includes(text) || this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ text, resolve });
    });
  }
}
