import { SINK_DROPS, type SinkDrop, type SinkFigures } from '../../core/index.js';
import type { SinkReport } from './sink.js';

/** Places of a sink's figures in the memory that the threads share; drops behind, by place in `SINK_DROPS`. */
const PLACES = ['rows', 'bytes', 'files', 'retries', 'queuedBytes'] as const;

export const SINK_FIGURES_BYTES = (PLACES.length + SINK_DROPS.length) * 8;

/** Faults of a sink are told once in so many milliseconds. */
const TELL_EVERY_MS = 10_000;

/** Counts where the control thread reads, and tells of faults now and then. Written by one thread. */
export class SharedSinkReport implements SinkReport {
  readonly #cells: Float64Array;
  readonly #nowMs: () => number;
  readonly #tell: (why: string, rows: number) => void;
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(memory: SharedArrayBuffer, nowMs: () => number, tell: (why: string, rows: number) => void) {
    this.#cells = new Float64Array(memory);
    this.#nowMs = nowMs;
    this.#tell = tell;
  }

  delivered(rows: number, bytes: number): void {
    this.#add('rows', rows);
    this.#add('bytes', bytes);
  }

  fileWritten(): void {
    this.#add('files', 1);
  }

  retried(): void {
    this.#add('retries', 1);
  }

  dropped(rows: number, reason: SinkDrop, why: string = reason): void {
    (this.#cells[PLACES.length + SINK_DROPS.indexOf(reason)] as number) += rows;
    this.#untold += rows;
    if (this.#nowMs() - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = this.#nowMs();
    this.#tell(why, this.#untold);
    this.#untold = 0;
  }

  queued(bytes: number): void {
    this.#cells[PLACES.indexOf('queuedBytes')] = bytes;
  }

  #add(place: (typeof PLACES)[number], by: number): void {
    (this.#cells[PLACES.indexOf(place)] as number) += by;
  }
}

export function readSinkFigures(name: string, memory: SharedArrayBuffer): SinkFigures {
  const cells = new Float64Array(memory);
  const of = (place: (typeof PLACES)[number]) => cells[PLACES.indexOf(place)] as number;
  const dropped = SINK_DROPS.map((reason, i) => [reason, cells[PLACES.length + i] as number] as const);
  return {
    name,
    rows: of('rows'),
    bytes: of('bytes'),
    files: of('files'),
    retries: of('retries'),
    dropped: Object.fromEntries(dropped) as Record<SinkDrop, number>,
    queuedBytes: of('queuedBytes'),
  };
}
