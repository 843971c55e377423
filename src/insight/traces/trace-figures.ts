import { KEPT_FOR, type KeptFor } from './trace-record.js';

/** Why a trace that was to be kept, or a span of one, was not exported. `rate`, `busy`: whole traces; the others: spans. */
export const TRACE_DROPS = ['rate', 'busy'] as const;
export const SPAN_DROPS = ['queue_full', 'export_failed', 'exit'] as const;
type TraceDrop = (typeof TRACE_DROPS)[number];
type SpanDrop = (typeof SPAN_DROPS)[number];

const KEPT_AT = 0;
const DROPPED_AT = KEPT_FOR.length;
const EXPORTED_AT = DROPPED_AT + TRACE_DROPS.length;
const LOST_AT = EXPORTED_AT + 1;
const NUMBERS = LOST_AT + SPAN_DROPS.length;

/** Counters of one thread, in memory that others read. */
export class TraceFigures {
  readonly #counts: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#counts = new Float64Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(NUMBERS * Float64Array.BYTES_PER_ELEMENT);
  }

  kept(keptFor: KeptFor): void {
    (this.#counts[KEPT_AT + KEPT_FOR.indexOf(keptFor)] as number)++;
  }

  dropped(cause: TraceDrop): void {
    (this.#counts[DROPPED_AT + TRACE_DROPS.indexOf(cause)] as number)++;
  }

  exported(spans: number): void {
    (this.#counts[EXPORTED_AT] as number) += spans;
  }

  lost(cause: SpanDrop, spans: number): void {
    (this.#counts[LOST_AT + SPAN_DROPS.indexOf(cause)] as number) += spans;
  }
}

/** What is told of traces; counters since the start. */
export interface TraceSums {
  readonly kept: Readonly<Record<KeptFor, number>>;
  readonly dropped: Readonly<Record<TraceDrop, number>>;
  readonly exported: number;
  readonly lost: Readonly<Record<SpanDrop, number>>;
}

/** The sums of all threads. */
export function traceSums(memories: Iterable<SharedArrayBuffer>): TraceSums {
  const counts = new Array<number>(NUMBERS).fill(0);
  for (const memory of memories) for (const [i, count] of new Float64Array(memory).entries()) counts[i]! += count;
  const named = <Name extends string>(names: readonly Name[], at: number) =>
    Object.fromEntries(names.map((name, i) => [name, counts[at + i]])) as Record<Name, number>;
  return {
    kept: named(KEPT_FOR, KEPT_AT),
    dropped: named(TRACE_DROPS, DROPPED_AT),
    exported: counts[EXPORTED_AT] as number,
    lost: named(SPAN_DROPS, LOST_AT),
  };
}
