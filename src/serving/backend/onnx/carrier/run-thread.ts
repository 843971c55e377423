import { Worker } from 'node:worker_threads';
import { ServingError } from '../../../../core/index.js';
import {
  BELL,
  COMPUTE_NS,
  type CommandBlock,
  commandBlock,
  READY,
  type RunThreadData,
  type RunThreadMessage,
  STATUS,
  STOP,
} from './command-block.js';
import type { Carrier, RunCall } from './run-call.js';

export interface RunThreadOptions {
  /** Absolute path of ONNX Runtime's library. */
  readonly libraryPath: string;
  /** Of the thread, as the system's tools show it. */
  readonly name?: string;
  /** Subnormal numbers count as zero in this thread. */
  readonly denormalsOff?: boolean;
  /** Called once when the thread has ended, after every run it had was told so. `why`, for the log: it was not asked to. */
  readonly onEnd?: (why: string | undefined) => void;
}

/** JavaScript heap of a run thread, in MiB: it holds a loop and koffi. */
const HEAP = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1 };

/**
 * A thread of its own that calls `Run` synchronously on sessions of this process, one run at a time, in the order in which
 * they were asked for. It sleeps between runs, takes no thread of libuv's pool, and so neither starves nor is starved by
 * files, compression, loads and other models. Runs asked for before it is ready wait. Where it dies, the runs it had are
 * returned with `EXECUTOR_LOST`: a thread ends only after its native call has returned, so nothing is in use then.
 */
export class RunThread {
  readonly #block: CommandBlock = commandBlock();
  readonly #worker: Worker;
  readonly #onEnd: (why: string | undefined) => void;
  /** The first one is running where the thread is ready. */
  readonly #calls: RunCall[] = [];
  #state: 'starting' | 'ready' | 'ended' = 'starting';
  #running: RunCall | undefined;
  #closing = false;
  #why = '';
  readonly #ended: Promise<void>;

  constructor({ libraryPath, name = 'run', denormalsOff = false, onEnd = () => {} }: RunThreadOptions) {
    this.#onEnd = onEnd;
    const workerData: RunThreadData = { buffer: this.#block.buffer, libraryPath, name, denormalsOff };
    this.#worker = new Worker(new URL('./run-thread-entry.js', import.meta.url), {
      workerData,
      name,
      execArgv: [],
      resourceLimits: HEAP,
    });
    this.#worker.on('message', (message: RunThreadMessage) => this.#heard(message));
    this.#worker.on('error', (error) => {
      this.#why = error instanceof Error ? error.message : String(error);
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#lost(this.#why || `it ended with exit code ${code}`);
        resolve();
      });
    });
  }

  /** True where a run asked for now does not wait for the thread's start. */
  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** True where its thread has ended; it takes no run any more. */
  get gone(): boolean {
    return this.#state === 'ended' || this.#closing;
  }

  /** Runs `call` when those before it are done. */
  run(call: RunCall): void {
    if (this.gone) {
      queueMicrotask(() => call.returned(lostError('its thread has ended'), 0, 0));
      return;
    }
    this.#calls.push(call);
    this.#next();
  }

  /** Takes a call back that has not begun. */
  withdraw(call: RunCall): boolean {
    const at = this.#calls.indexOf(call);
    if (at >= 0) this.#calls.splice(at, 1);
    if (at >= 0) this.#stopWhenDone();
    return at >= 0;
  }

  /** Takes no more runs, does those it has, and ends the thread. Resolves when it has ended. */
  close(): Promise<void> {
    this.#closing = true;
    this.#stopWhenDone();
    return this.#ended;
  }

  #next(): void {
    if (this.#state !== 'ready' || this.#running !== undefined) return;
    const call = this.#calls.shift();
    if (call === undefined) return;
    this.#running = call;
    const { signals, words } = this.#block;
    words.set(call.values);
    call.begun();
    Atomics.add(signals, BELL, 1);
    Atomics.notify(signals, BELL);
  }

  #heard(message: RunThreadMessage): void {
    if (message === READY) {
      this.#state = 'ready';
    } else {
      const call = this.#running;
      this.#running = undefined;
      const { words } = this.#block;
      call?.returned(undefined, words[STATUS] as number, words[COMPUTE_NS] as number);
    }
    this.#next();
    this.#stopWhenDone();
  }

  #stopWhenDone(): void {
    if (!this.#closing || this.#running !== undefined || this.#calls.length > 0 || this.#state === 'ended') return;
    const { signals } = this.#block;
    Atomics.store(signals, STOP, 1);
    Atomics.add(signals, BELL, 1);
    Atomics.notify(signals, BELL);
  }

  #lost(why: string): void {
    this.#state = 'ended';
    const calls = [...(this.#running === undefined ? [] : [this.#running]), ...this.#calls.splice(0)];
    this.#running = undefined;
    for (const call of calls) call.returned(lostError(why), 0, 0);
    this.#onEnd(this.#closing && calls.length === 0 ? undefined : why);
  }
}

function lostError(why: string): ServingError {
  return new ServingError('EXECUTOR_LOST', 'the thread that ran the model ended', { cause: new Error(why) });
}

/** Carries the runs of one lane on a run thread. */
export class ThreadCarrier implements Carrier {
  readonly #call: RunCall;
  readonly #thread: () => RunThread;
  #started: RunThread | undefined;

  /** `thread`: the one to use now. */
  constructor(call: RunCall, thread: () => RunThread) {
    this.#call = call;
    this.#thread = thread;
  }

  start(): void {
    this.#started = this.#thread();
    this.#started.run(this.#call);
  }

  withdraw(): boolean {
    return this.#started?.withdraw(this.#call) ?? false;
  }
}
