import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type Clock, type ClockTimer, type Log, type OpenRequest, ServingError } from '../../../core/index.js';
import type { ThreadModelKind } from '../../backend/index.js';
import { takeLine } from './console-capture.js';
import { type PartListener, PartReceiver } from './part-receiver.js';
import type {
  ConsoleLine,
  FailedReply,
  LoadedReply,
  RanReply,
  RunTask,
  WorkerReply,
  WorkerSetup,
  WorkerTask,
} from './thread-message.js';

export interface ModelWorkerOptions {
  readonly kind: ThreadModelKind;
  /** URL of the module that opens the model inside the worker. */
  readonly module: URL;
  readonly request: OpenRequest;
  readonly instance: number;
  readonly clock: Clock;
  readonly log: Log;
  /** A load or run past it ends the worker; 0 = none. Always 0 for the binding: ending its thread aborts the process. */
  readonly loadLimitMs: number;
  readonly runLimitMs: number;
  /** Heap of the worker's own JavaScript, in MiB; undefined = Node's default. */
  readonly heapMb: number | undefined;
  readonly maxOutputBytes: number;
}

/** A task that its worker has not answered. */
interface OpenTask {
  /** For messages. */
  readonly what: string;
  /** 0 = no limit. */
  readonly limitMs: number;
  readonly settle: (reply: WorkerReply) => void;
  timer: ClockTimer | undefined;
}

/** Time a script has to clean up when its version is unloaded. */
const CLOSE_LIMIT_MS = 5_000;

/**
 * The worker thread of one instance: a piscina pool of one that is never refilled by itself. Whatever ends the thread
 * (a crash, `process.exit`, a limit), the tasks in flight settle with EXECUTOR_LOST and `onGone` is called.
 */
export class ModelWorker {
  readonly #options: ModelWorkerOptions;
  readonly #pool: Piscina<WorkerTask, WorkerReply>;
  readonly #setup: WorkerSetup;
  readonly #subject: string;
  readonly #tasks = new Set<OpenTask>();
  /** Of decoupled models. */
  #parts: PartReceiver | undefined;
  #streams = 0;
  #gone = false;
  #closing = false;
  /** Called once when the thread ended by itself or past a limit, after the tasks in flight were settled. */
  onGone: () => void = () => {};

  /** Starts a worker and opens the model in it. Rejects with MODEL_INVALID or UNSUPPORTED. */
  static async start(options: ModelWorkerOptions): Promise<{ worker: ModelWorker; loaded: LoadedReply }> {
    const worker = new ModelWorker(options);
    const { module, request, instance, loadLimitMs } = options;
    const reply = await new Promise<WorkerReply>((resolve) => {
      const parts = request.decoupled === undefined ? undefined : worker.#openParts();
      const transferList = parts === undefined ? [] : [parts];
      worker.#post({ kind: 'load', module: module.href, request, instance, parts }, loadLimitMs, resolve, {
        transferList,
      });
    });
    if (reply.kind === 'loaded') return { worker, loaded: reply };
    await worker.close();
    const { reason, message } = reply as FailedReply;
    throw new ServingError(reason === 'EXECUTOR_LOST' ? 'MODEL_INVALID' : reason, message);
  }

  private constructor(options: ModelWorkerOptions) {
    this.#options = options;
    const { kind, heapMb, maxOutputBytes, request } = options;
    this.#subject = `model '${request.id.model}' version ${request.id.version}`;
    const console = new Int32Array(new SharedArrayBuffer(8));
    // What the binding has of memory is native, and not in any heap.
    const heap = kind === 'script' ? new Float64Array(new SharedArrayBuffer(8)) : undefined;
    this.#setup = { console, heap, maxOutputBytes };
    this.#pool = new Piscina<WorkerTask, WorkerReply>({
      filename: fileURLToPath(new URL('./worker-entry.js', import.meta.url)),
      name: 'work',
      // A thread that dies must not come back before the executor says so (backoff, quarantine).
      minThreads: 0,
      maxThreads: 1,
      concurrentTasksPerWorker: request.decoupled?.requestsPerInstance ?? 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // With Atomics the thread sleeps between tasks, and a script's timers and sockets with it.
      atomics: kind === 'script' ? 'disabled' : 'sync',
      recordTiming: false,
      workerData: this.#setup,
      // A `model.js` may be an ES module without a package.json that says so. (Nodes from 22.7 on do that by themselves.)
      execArgv: kind === 'script' ? ['--experimental-detect-module'] : [],
      ...(heapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMb } }),
    });
    this.#pool.on('message', (line: ConsoleLine) => this.#logLine(line));
    this.#pool.on('error', (error) => this.#end('its worker ended', error));
  }

  /** True where the thread has ended or is ending. */
  get gone(): boolean {
    return this.#gone;
  }

  /** What its JavaScript has, in bytes, as of its last run or the second before; undefined: that is not told. */
  get heapBytes(): number | undefined {
    return this.#gone ? 0 : this.#setup.heap?.[0];
  }

  /** Runs one batch; `settle` is called once, never before `run` returns. One at a time. */
  run(task: RunTask, settle: (reply: RanReply | FailedReply) => void): void {
    this.#post(task, this.#options.runLimitMs, settle as (reply: WorkerReply) => void);
  }

  /**
   * Runs one request of a decoupled model, as many at once as its plan says: `parts` takes its responses, then `settle` the last
   * one. The limit is of the time in which it gives no response although it may. Returns what cancels it.
   */
  stream(
    task: Omit<RunTask, 'stream'>,
    parts: PartListener['part'],
    settle: (reply: RanReply | FailedReply) => void,
  ): () => void {
    const stream = ++this.#streams;
    const receiver = this.#parts;
    if (receiver === undefined) throw new Error('a run with parts of a model without');
    const ended = (reply: WorkerReply) => {
      receiver.end(stream);
      settle(reply as RanReply | FailedReply);
    };
    const open = this.#post({ ...task, stream }, this.#options.runLimitMs, ended);
    receiver.begin(stream, { part: parts, paced: (mayGive) => open && this.#limit(open, mayGive) });
    return () => receiver.cancel(stream);
  }

  #openParts(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#parts = new PartReceiver(port1);
    return port2;
  }

  /** Lets the model clean up and ends the thread. Only between runs. */
  async close(): Promise<void> {
    this.#closing = true;
    if (!this.#gone) {
      const limitMs = this.#options.kind === 'script' ? CLOSE_LIMIT_MS : 0;
      const reply = await new Promise<WorkerReply>((resolve) => this.#post({ kind: 'close' }, limitMs, resolve));
      if (reply.kind === 'failed') this.#options.log.warn('a model did not close well', { why: reply.message });
      this.#gone = true;
      this.#parts?.close();
    }
    await this.#pool.destroy();
  }

  /** Undefined where the worker has ended: the task fails. */
  #post(
    task: WorkerTask,
    limitMs: number,
    settle: (reply: WorkerReply) => void,
    options?: { readonly transferList: MessagePort[] },
  ): OpenTask | undefined {
    if (this.#gone) {
      queueMicrotask(() => settle(this.#lost('its worker has ended')));
      return undefined;
    }
    const open: OpenTask = {
      what: task.kind === 'run' ? 'the execution' : `its ${task.kind}`,
      limitMs,
      settle,
      timer: undefined,
    };
    this.#tasks.add(open);
    this.#pool.run(task, options).then(
      (reply) => this.#settled(open, reply),
      (error) => this.#end('its worker ended', error),
    );
    this.#watchExit();
    this.#limit(open, true);
    return open;
  }

  /** The time that a task may take begins anew, or does not count while it is not `running`. */
  #limit(open: OpenTask, running: boolean): void {
    open.timer?.clear();
    open.timer = undefined;
    if (!running || open.limitMs === 0 || !this.#tasks.has(open)) return;
    const { clock } = this.#options;
    open.timer = clock.setTimer(clock.nowNs() + open.limitMs * 1e6, () => {
      this.#end(`${open.what} did not end within ${open.limitMs} ms, and its worker was ended`);
    });
  }

  /** The pool makes its thread with the first task. */
  #watchExit(): void {
    const [thread] = this.#pool.threads;
    if (thread === undefined || thread.listenerCount('exit', this.#onExit) > 0) return;
    thread.on('exit', this.#onExit);
  }

  readonly #onExit = (code: number): void => this.#end(`its worker ended (exit code ${code})`);

  #settled(open: OpenTask, reply: WorkerReply): void {
    if (!this.#tasks.delete(open)) return;
    open.timer?.clear();
    open.settle(reply);
  }

  /** `why` goes to the caller, `error` (which may tell too much) to the log. */
  #end(why: string, error?: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    if (!this.#closing) this.#options.log.error('a model worker ended', { subject: this.#subject, why, error });
    // Ends a thread that still runs; for one that has exited there is nothing left to do. Never rejects.
    void this.#pool.destroy();
    for (const open of [...this.#tasks]) this.#settled(open, this.#lost(why));
    this.#parts?.close();
    if (!this.#closing) this.onGone();
  }

  #lost(why: string): FailedReply {
    return { kind: 'failed', reason: 'EXECUTOR_LOST', message: `${this.#subject}: ${why}` };
  }

  #logLine({ kind, level, text }: ConsoleLine): void {
    if (kind !== 'console') return;
    const dropped = takeLine(this.#setup.console);
    const fields = { subject: this.#subject, instance: this.#options.instance, text };
    this.#options.log[level]('model output', dropped === 0 ? fields : { ...fields, dropped });
  }
}
