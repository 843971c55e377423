import { Worker } from 'node:worker_threads';
import { ServingError } from '../../../../core/index.js';
import { BELL, type BoundDevice, blockViews, FAILED_STEP, newBlock, PROGRAM, RESULT, STOP } from './program-block.js';

/** `failedStep` (see `STEP`) and what it returned, or 0 where every call succeeded; `error`: the thread died. */
export type ProgramEnd = (error: ServingError | undefined, failedStep: number, result: number) => void;

/** JavaScript heap of the thread, in MiB: it holds a loop and koffi. */
const HEAP = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1 };

/**
 * A thread of one lane's own, which performs its programs one at a time. CUDA graphs belong to the thread that captured them:
 * so captures and replays of a lane all run here.
 */
export class ProgramThread {
  readonly #block: SharedArrayBuffer;
  readonly #signals: Int32Array;
  readonly #words: Float64Array;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #onLost: () => void;
  #end: ProgramEnd | undefined;
  #lost: ServingError | undefined;
  #why = '';
  #closing = false;
  /** Resolves when it can perform; rejects where it cannot start. */
  readonly ready: Promise<void>;

  /** `onLost`: called once where the thread ends unasked, after the program that it had was told so. */
  constructor(libraryPath: string, device: BoundDevice, programWords: number, onLost: () => void) {
    this.#onLost = onLost;
    this.#block = newBlock(programWords);
    const { signals, words } = blockViews(this.#block);
    this.#signals = signals;
    this.#words = words;
    this.#worker = new Worker(new URL('./program-thread-entry.js', import.meta.url), {
      workerData: { block: this.#block, libraryPath, device },
      name: 'bound lane',
      execArgv: [],
      resourceLimits: HEAP,
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message) => (message === 'ready' ? resolve() : this.#returned()));
      this.#worker.on('error', (error) => {
        this.#why = error instanceof Error ? error.message : String(error);
      });
      this.#worker.on('exit', () => reject(new ServingError('UNSUPPORTED', `its thread cannot run: ${this.#why}`)));
    });
    this.ready.catch(() => {});
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#exited();
        resolve();
      });
    });
  }

  /** Performs a program. `end` is called once, never before this returns. */
  perform(program: Float64Array, end: ProgramEnd): void {
    if (this.#lost !== undefined) {
      const lost = this.#lost;
      queueMicrotask(() => end(lost, 0, 0));
      return;
    }
    this.#end = end;
    this.#words.set(program, PROGRAM);
    this.#ring();
  }

  /** Ends the thread once the program that it has is done. */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      Atomics.store(this.#signals, STOP, 1);
      this.#ring();
    }
    return this.#ended;
  }

  #ring(): void {
    Atomics.add(this.#signals, BELL, 1);
    Atomics.notify(this.#signals, BELL);
  }

  #returned(): void {
    const end = this.#end;
    this.#end = undefined;
    end?.(undefined, this.#words[FAILED_STEP] as number, this.#words[RESULT] as number);
  }

  #exited(): void {
    this.#lost = new ServingError('EXECUTOR_LOST', 'the thread that ran the model ended', {
      cause: new Error(this.#why),
    });
    const end = this.#end;
    this.#end = undefined;
    end?.(this.#lost, 0, 0);
    if (!this.#closing) this.#onLost();
  }
}
