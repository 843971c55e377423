import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { PartControl, PartMessage, PartTensor } from './part-message.js';
import { PartWindow } from './part-window.js';

/** Who is told of a run's parts. */
export interface PartListener {
  /** Tensors are the listener's own; `taken` lets the model go on, once. */
  part(tensors: readonly PartTensor[], taken: () => void): void;
  /** The model may give the next part, or waits until one is taken. */
  paced(mayGive: boolean): void;
}

interface OpenRun {
  readonly listener: PartListener;
  readonly window: PartWindow;
}

/** The main thread's end of the port that parts come by, of all runs of one worker. */
export class PartReceiver {
  readonly #port: MessagePort;
  readonly #runs = new Map<number, OpenRun>();

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: PartMessage) => this.#take(message));
    // The worker alone keeps the process.
    port.unref();
  }

  begin(run: number, listener: PartListener): void {
    this.#runs.set(run, { listener, window: new PartWindow() });
  }

  /** Nobody wants its parts any more; it ends by itself. */
  cancel(run: number): void {
    if (this.#runs.has(run)) this.#tell({ run, kind: 'cancel' });
  }

  /** The worker said by another way that the run has ended: takes what it sent before, then nothing of it. */
  end(run: number): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port))
      this.#take(next.message as PartMessage);
    this.#runs.delete(run);
  }

  close(): void {
    this.#runs.clear();
    this.#port.close();
  }

  #take({ run, tensors, bytes }: PartMessage): void {
    const open = this.#runs.get(run);
    if (open === undefined) return;
    const { listener, window } = open;
    window.sent(bytes);
    listener.paced(!window.full);
    let taken = false;
    listener.part(tensors, () => {
      if (taken || this.#runs.get(run) !== open) return;
      taken = true;
      window.taken();
      this.#tell({ run, kind: 'taken' });
      listener.paced(!window.full);
    });
  }

  #tell(control: PartControl): void {
    this.#port.postMessage(control);
  }
}
