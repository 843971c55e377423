import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { PartSink, Tensor } from '../../core/index.js';

/**
 * A response before the last one, of a call to a decoupled model. A row is used by one call after another: `use` counts those to
 * decoupled models, on both threads alike, so that what comes late for one that has ended meets no other.
 */
interface ResponseMessage {
  readonly row: number;
  readonly use: number;
  readonly outputs: readonly Tensor[];
}

/** One response of that call was taken by its client. */
interface TakenMessage {
  readonly row: number;
  readonly use: number;
}

/** The control thread's end of the line. */
export class ResponseSender {
  readonly #port: MessagePort;
  readonly #uses = new Map<number, number>();
  /** By row: what waits until the client has taken a response, oldest first. Bounded by who computes. */
  readonly #untaken = new Map<number, (() => void)[]>();

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: TakenMessage) => this.#taken(message));
    port.unref();
  }

  /** A call to a decoupled model has come: where its responses go, copied once each. */
  begin(row: number): PartSink {
    const use = (this.#uses.get(row) ?? 0) + 1;
    const untaken: (() => void)[] = [];
    this.#uses.set(row, use);
    this.#untaken.set(row, untaken);
    return {
      part: (outputs, taken) => {
        if (this.#untaken.get(row) !== untaken) return;
        untaken.push(taken);
        const own = outputs.map(({ name, dataType, shape, data }) => {
          return { name, dataType, shape: [...shape], data: new Uint8Array(data) };
        });
        const message: ResponseMessage = { row, use, outputs: own };
        this.#port.postMessage(
          message,
          own.map(({ data }) => data.buffer),
        );
      },
    };
  }

  /** The call has its last response, or an error. */
  end(row: number): void {
    this.#untaken.delete(row);
  }

  #taken({ row, use }: TakenMessage): void {
    if (this.#uses.get(row) === use) this.#untaken.get(row)?.shift()?.();
  }
}

/** The ingress thread's end of the line. */
export class ResponseReceiver {
  readonly #port: MessagePort;
  readonly #uses = new Map<number, number>();
  readonly #sinks = new Map<number, PartSink>();

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ResponseMessage) => this.#take(message));
    port.unref();
  }

  /** A call to a decoupled model is about to be sent; undefined: nobody wants what comes before its last response. */
  begin(row: number, sink: PartSink | undefined): void {
    this.#uses.set(row, (this.#uses.get(row) ?? 0) + 1);
    if (sink !== undefined) this.#sinks.set(row, sink);
  }

  /** Its last response, or an error, has come by the other way: takes what was sent before it, then nothing of it. */
  end(row: number): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port))
      this.#take(next.message as ResponseMessage);
    this.#sinks.delete(row);
  }

  #take({ row, use, outputs }: ResponseMessage): void {
    if (this.#uses.get(row) !== use) return;
    const taken: TakenMessage = { row, use };
    this.#sinks.get(row)?.part(outputs, () => this.#port.postMessage(taken));
  }
}
