import { bucketOfNs, TIME_BOUNDS_NS } from '../time-histogram.js';

/** A request of which there is a trace, to be looked at where its bucket of a histogram is. */
export interface Exemplar {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  readonly seconds: number;
  /** When it was answered, since the epoch. */
  readonly atMs: number;
}

const BUCKETS = TIME_BOUNDS_NS.length + 1;
/** Of a bucket: its time, when, and four parts of the trace's id, 32 bits each. */
const STRIDE = 6;
const PARTS = [0, 8, 16, 24] as const;

/** Floats that the exemplars of one histogram take: the latest of each bucket. */
export const EXEMPLAR_SLOTS = BUCKETS * STRIDE;

/** Keeps a request in place of the one before it in its bucket. What is no id of a trace is left out. */
export function writeExemplar(slots: Float64Array, from: number, traceId: string, ns: number, atMs: number): void {
  if (!/^[0-9a-f]{32}$/.test(traceId)) return;
  const at = from + bucketOfNs(ns) * STRIDE;
  // A reader on another thread passes over what has no time.
  slots[at + 1] = 0;
  slots[at] = ns;
  for (const [i, digit] of PARTS.entries()) slots[at + 2 + i] = Number.parseInt(traceId.slice(digit, digit + 8), 16);
  slots[at + 1] = atMs;
}

/** The latest of each bucket in any of these arrays; undefined where a bucket has none. */
export function readExemplars(arrays: Iterable<Float64Array>, from: number): readonly (Exemplar | undefined)[] {
  const latest: (Exemplar | undefined)[] = new Array(BUCKETS).fill(undefined);
  for (const slots of arrays)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const at = from + bucket * STRIDE;
      const atMs = slots[at + 1] as number;
      if (atMs > (latest[bucket]?.atMs ?? 0)) latest[bucket] = readOne(slots, at, atMs);
    }
  return latest;
}

function readOne(slots: Float64Array, at: number, atMs: number): Exemplar {
  const part = (i: number) => (slots[at + 2 + i] as number).toString(16).padStart(8, '0');
  return { traceId: PARTS.map((_, i) => part(i)).join(''), seconds: (slots[at] as number) / 1e9, atMs };
}
