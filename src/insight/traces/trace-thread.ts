import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ExportSettings } from './exporters.js';
import type { TraceRecord } from './trace-record.js';

/** What the thread that exports is started with. */
export interface TraceThreadStart {
  readonly exporter: ExportSettings;
  /** Spans that wait for their export, at most. */
  readonly maxWaiting: number;
  readonly everyMs: number;
  /** What is left of the process's time when it ends. */
  readonly exitMs: number;
  /** Wall clock in milliseconds at the zero of the clock that records are timed by. */
  readonly zeroMs: number;
  readonly figures: SharedArrayBuffer;
}

/** To that thread: a port that records come through, or the end. */
export type ToTraceThread = { readonly kind: 'source'; readonly port: MessagePort } | { readonly kind: 'close' };

/** From it: what went wrong, for the log. */
export interface TraceNews {
  readonly message: string;
  readonly why: string;
}

/** The ends of all sources, on the thread that exports; how many records were taken goes back. */
export class TraceIntake {
  readonly #take: (record: TraceRecord) => void;
  readonly #ports = new Set<MessagePort>();

  constructor(take: (record: TraceRecord) => void) {
    this.#take = take;
  }

  join(port: MessagePort): void {
    this.#ports.add(port);
    port.on('message', (records: readonly TraceRecord[]) => {
      for (const record of records) this.#take(record);
      port.postMessage(records.length);
    });
    // The thread of the source has ended.
    port.on('close', () => this.#ports.delete(port));
  }

  /** Takes what was sent before now, and nothing after. */
  drain(): void {
    for (const port of this.#ports) {
      for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port))
        for (const record of sent.message as readonly TraceRecord[]) this.#take(record);
      port.close();
    }
  }
}
