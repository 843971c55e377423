import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { type Offload, type OffloadTasks, ServingError } from '../../../core/index.js';
import { errorOfReply, ownBuffer, type TaskMessage, type TaskReply } from './task-message.js';

export interface OffloadOptions {
  /** Threads of the pool; they are started with the first tasks. */
  readonly threads?: number;
  /** Tasks that may wait for a thread; one more is refused with OVERLOADED. */
  readonly maxQueue: number;
  /**
   * Modules of the tasks that other rooms own: each exports a function named as the task, pure, that takes the task's
   * input and returns its output. `decompress` is the pool's own.
   */
  readonly tasks: Readonly<Record<Exclude<keyof OffloadTasks, 'decompress'>, URL>>;
}

/** An offload that can be closed. */
export interface OffloadPool extends Offload {
  /** Takes no more tasks (DRAINING), waits for those accepted, ends the threads. */
  close(): Promise<void>;
}

/** A pool of threads for work that would hold the event loop. Starts no thread before the first task. */
export function createOffload(options: OffloadOptions): OffloadPool {
  return new PiscinaOffload(options);
}

interface Job {
  readonly message: TaskMessage;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: ServingError) => void;
  readonly signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
}

class PiscinaOffload implements OffloadPool {
  readonly #pool: Piscina<TaskMessage, TaskReply>;
  readonly #modules: ReadonlyMap<string, string>;
  readonly #threads: number;
  readonly #maxQueue: number;
  /** Jobs that wait for a thread, oldest first (a Set keeps their order and lets one leave the middle). */
  readonly #waiting = new Set<Job>();
  #running = 0;
  #closed: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor({ threads = Math.max(1, Math.floor(availableParallelism() / 2)), maxQueue, tasks }: OffloadOptions) {
    this.#threads = threads;
    this.#maxQueue = maxQueue;
    const own = { decompress: new URL('./decompress.js', import.meta.url) };
    this.#modules = new Map(Object.entries({ ...tasks, ...own }).map(([task, url]) => [task, url.href]));
    this.#pool = new Piscina<TaskMessage, TaskReply>({
      filename: fileURLToPath(new URL('./pool-thread.js', import.meta.url)),
      name: 'runTask',
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      recordTiming: false,
    });
    // A thread that dies between tasks took nothing with it; the pool starts another when it needs one.
    this.#pool.on('error', () => {});
  }

  run<K extends keyof OffloadTasks>(
    task: K,
    input: OffloadTasks[K]['input'],
    signal?: AbortSignal,
  ): Promise<OffloadTasks[K]['output']> {
    return new Promise<OffloadTasks[K]['output']>((resolve, reject) => {
      const module = this.#modules.get(task);
      if (module === undefined) throw new ServingError('INTERNAL', `the pool has no task '${task}'`);
      if (this.#closed !== undefined) throw new ServingError('DRAINING', 'the server is shutting down');
      if (signal?.aborted === true) throw cancelled();
      if (this.#running >= this.#threads && this.#waiting.size >= this.#maxQueue) {
        throw new ServingError('OVERLOADED', `${this.#waiting.size} bodies wait to be decoded, the most that may`);
      }
      const message: TaskMessage = { task, module, input };
      const job: Job = { message, resolve: resolve as (output: unknown) => void, reject, signal, onAbort: undefined };
      if (signal !== undefined) {
        job.onAbort = () => this.#abort(job);
        signal.addEventListener('abort', job.onAbort, { once: true });
      }
      if (this.#running < this.#threads) this.#start(job);
      else this.#waiting.add(job);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain().then(() => this.#pool.destroy());
    return this.#closed;
  }

  #drain(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
    });
  }

  /** A task that waits leaves the queue; one that runs goes on, for ending its thread would cost more than its rest. */
  #abort(job: Job): void {
    this.#waiting.delete(job);
    job.reject(cancelled());
  }

  #start(job: Job): void {
    this.#running++;
    this.#carry(job).then(
      (output) => this.#done(job, () => job.resolve(output)),
      (error) => this.#done(job, () => job.reject(error)),
    );
  }

  async #carry({ message }: Job): Promise<unknown> {
    const { input, transfer } = transferred(message.input);
    let reply: TaskReply;
    try {
      reply = await this.#pool.run({ ...message, input }, { transferList: transfer as never });
    } catch (cause) {
      throw new ServingError('INTERNAL', `a worker thread ended while it ran '${message.task}'`, { cause });
    }
    if (reply.kind === 'failed') throw errorOfReply(reply);
    return reply.output;
  }

  #done(job: Job, settle: () => void): void {
    this.#running--;
    if (job.onAbort !== undefined) job.signal?.removeEventListener('abort', job.onAbort);
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      this.#start(next);
    }
    settle();
    if (this.#running === 0) this.#onDrained?.();
  }
}

function cancelled(): ServingError {
  return new ServingError('CLIENT_CANCELLED', 'the client went away');
}

/** A task's input with its body in a buffer of its own, and that buffer for the transfer. */
function transferred(input: unknown): { readonly input: unknown; readonly transfer: readonly ArrayBuffer[] } {
  const { body } = input as { readonly body?: Uint8Array };
  if (body === undefined) return { input, transfer: [] };
  const owned = ownBuffer(body);
  return { input: { ...(input as object), body: owned }, transfer: [owned.buffer] };
}
