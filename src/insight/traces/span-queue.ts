import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** Spans of one export. */
const BUNCH = 512;

/** Sends one bunch; rejects where it was not taken. */
export type ExportSpans = (spans: ReadableSpan[]) => Promise<void>;

export interface SpanQueueOptions {
  readonly send: ExportSpans;
  /** Spans that wait, at most; those that come then are lost. */
  readonly maxWaiting: number;
  readonly exported: (spans: number) => void;
  readonly lost: (cause: 'queue_full' | 'export_failed' | 'exit', spans: number) => void;
  readonly failed: (why: unknown) => void;
}

/** Spans on their way out: bounded, one export at a time, nobody waits for one. What could not be sent is counted, not kept. */
export class SpanQueue {
  readonly #options: SpanQueueOptions;
  #waiting: ReadableSpan[] = [];
  #busy: Promise<void> | undefined;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  /** All spans of a trace, or none. */
  add(spans: readonly ReadableSpan[]): void {
    if (this.#waiting.length + spans.length > this.#options.maxWaiting) {
      this.#options.lost('queue_full', spans.length);
      return;
    }
    this.#waiting.push(...spans);
    if (this.#waiting.length >= BUNCH) this.go();
  }

  /** Sends what waits, unless it is being sent. */
  go(): void {
    if (this.#waiting.length > 0) this.#busy ??= this.#send();
  }

  /** Sends what waits; resolves when nothing does, or `late` has: what is left then is lost. */
  async flush(late: Promise<unknown>): Promise<void> {
    this.go();
    await Promise.race([late, this.#busy]);
    if (this.#waiting.length > 0) this.#options.lost('exit', this.#waiting.splice(0).length);
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    const { send, exported, lost, failed } = this.#options;
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, BUNCH);
      try {
        await send(spans);
        exported(spans.length);
      } catch (thrown) {
        lost('export_failed', spans.length);
        failed(thrown);
      }
    }
    this.#busy = undefined;
  }
}
