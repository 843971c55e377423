import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { CaptureTap, CaptureTapOptions } from './capture-tap.js';
import { type CapturedRow, capturedBytes } from './captured-row.js';
import type { SinkSettings } from './sinks/create-sink.js';

/** What the thread that writes is started with. */
export interface CaptureThreadStart {
  /** With the memory of their figures. */
  readonly sinks: readonly (SinkSettings & { readonly figures: SharedArrayBuffer })[];
}

/** To the thread that writes: a port that rows come through, or the end, with the time that sinks get for what they hold. */
export type ToCaptureThread =
  | { readonly kind: 'tap'; readonly port: MessagePort }
  | { readonly kind: 'close'; readonly limitMs: number };

/** From it: so many rows more were lost by a sink, now and then. */
export interface FromCaptureThread {
  readonly sink: string;
  readonly rows: number;
  readonly why: string;
}

/** Binds a tap to the port of the thread that writes: rows go one way, the bytes it has taken come back. */
export function connectTap(port: MessagePort, make: (send: CaptureTapOptions['send']) => CaptureTap): CaptureTap {
  const tap = make((row) => port.postMessage(row, [row.data]));
  port.on('message', (bytes: number) => tap.taken(bytes));
  port.unref();
  return tap;
}

/** The other end, on the thread that writes: the ports of all taps. */
export class CaptureIntake {
  readonly #add: (row: CapturedRow) => void;
  readonly #ports = new Set<MessagePort>();

  constructor(add: (row: CapturedRow) => void) {
    this.#add = add;
  }

  join(port: MessagePort): void {
    this.#ports.add(port);
    port.on('message', (row: CapturedRow) => {
      const bytes = capturedBytes(row.data.byteLength, row.textBytes);
      this.#add(row);
      port.postMessage(bytes);
    });
    // The thread of the tap has ended.
    port.on('close', () => this.#ports.delete(port));
  }

  /** Takes what was sent before now, and nothing after. */
  drain(): void {
    for (const port of this.#ports) {
      for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port)) {
        this.#add(sent.message as CapturedRow);
      }
      port.close();
    }
  }
}
