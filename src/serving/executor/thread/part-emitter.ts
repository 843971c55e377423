import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ServingError } from '../../../core/index.js';
import type { PartOutlet, ThreadTensor } from '../../backend/index.js';
import type { PartControl, PartMessage } from './part-message.js';
import { PartWindow } from './part-window.js';
import { alignUp } from './shared-memory.js';

/** The worker's end of the port that parts leave by, of all its runs. */
export class PartPort {
  readonly #port: MessagePort;
  readonly #maxBytes: number;
  readonly #runs = new Map<number, PartEmitter>();
  /** Runs that were cancelled before their task came: the two come by different ways. */
  readonly #early = new Set<number>();
  #latest = 0;

  constructor(port: MessagePort, maxBytes: number) {
    this.#port = port;
    this.#maxBytes = maxBytes;
    port.on('message', (control: PartControl) => this.#act(control));
  }

  /** Runs begin in the order of their numbers. */
  begin(run: number): PartEmitter {
    this.#latest = run;
    const emitter = new PartEmitter(this, run, this.#maxBytes);
    this.#runs.set(run, emitter);
    if (this.#early.delete(run)) emitter.cancel();
    return emitter;
  }

  end(run: number): void {
    this.#runs.delete(run);
  }

  send(message: PartMessage, buffer: ArrayBuffer): void {
    this.#port.postMessage(message, [buffer]);
  }

  /** What has come meanwhile: a script that never waits leaves no turn in which it would be told. */
  look(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port))
      this.#act(next.message as PartControl);
  }

  #act({ run, kind }: PartControl): void {
    const emitter = this.#runs.get(run);
    if (emitter === undefined) {
      if (kind === 'cancel' && run > this.#latest) this.#early.add(run);
    } else if (kind === 'cancel') emitter.cancel();
    else emitter.taken();
  }
}

/** The parts of one run on their way out. */
export class PartEmitter implements PartOutlet {
  readonly #port: PartPort;
  readonly #run: number;
  readonly #maxBytes: number;
  readonly #window = new PartWindow();
  readonly #abort = new AbortController();
  #wake: (() => void) | undefined;

  constructor(port: PartPort, run: number, maxBytes: number) {
    this.#port = port;
    this.#run = run;
    this.#maxBytes = maxBytes;
  }

  /** Aborted when nobody wants the answer any more. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Sends one part: copied once, its buffer transferred. Resolves when the next one may be made. Throws `BACKEND_FAILED`. */
  async emit(tensors: readonly ThreadTensor[]): Promise<void> {
    let bytes = 0;
    for (const { data } of tensors) bytes = alignUp(bytes) + data.byteLength;
    if (bytes > this.#maxBytes)
      throw new ServingError(
        'BACKEND_FAILED',
        `a response of the model takes ${bytes} bytes; the limit is ${this.#maxBytes}`,
      );
    const buffer = new ArrayBuffer(bytes);
    let at = 0;
    const placed = tensors.map(({ data, shape }) => {
      const own = new Uint8Array(buffer, alignUp(at), data.byteLength);
      own.set(data);
      at = alignUp(at) + data.byteLength;
      return { shape, data: own };
    });
    this.#port.look();
    if (this.signal.aborted) return;
    this.#window.sent(bytes);
    this.#port.send({ run: this.#run, tensors: placed, bytes }, buffer);
    if (!this.#window.full) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  taken(): void {
    this.#window.taken();
    if (!this.#window.full) this.#go();
  }

  cancel(): void {
    this.#abort.abort();
    this.#go();
  }

  #go(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
