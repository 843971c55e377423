import { LATENCY_BOUNDS_NS } from '../core/index.js';

/** Upper bounds of the buckets in nanoseconds. */
export const TIME_BOUNDS_NS = LATENCY_BOUNDS_NS;

const OVERFLOW = TIME_BOUNDS_NS.length;
const LAST_NS = TIME_BOUNDS_NS[OVERFLOW - 1] as number;

/** Floats one histogram takes: a count for each bucket, one for what lies above them, and the sum. */
export const TIME_HISTOGRAM_SLOTS = OVERFLOW + 2;

/** First bucket that can hold a duration whose microseconds have this many bits: at most two steps are left to take. */
const FIRST_BY_BITS = Uint8Array.from({ length: 33 }, (_, bits) => {
  const leastNs = bits === 0 ? 0 : 2 ** (bits - 1) * 1000;
  const at = TIME_BOUNDS_NS.findIndex((bound) => leastNs <= bound);
  return at === -1 ? OVERFLOW : at;
});

const BOUNDS = Float64Array.from(TIME_BOUNDS_NS);

/** Adds one duration to the histogram that starts at `at`. What is no duration (negative, NaN) counts as 0. */
export function observeNs(slots: Float64Array, at: number, durationNs: number): void {
  const ns = durationNs > 0 ? durationNs : 0;
  (slots[at + bucketOfNs(ns)] as number)++;
  (slots[at + OVERFLOW + 1] as number) += ns;
}

/** The bucket of a duration: its place in `TIME_BOUNDS_NS`, or one beyond. */
export function bucketOfNs(ns: number): number {
  if (ns > LAST_NS) return OVERFLOW;
  let bucket = FIRST_BY_BITS[32 - Math.clz32((ns * 1e-3) | 0)] as number;
  while (ns > (BOUNDS[bucket] as number)) bucket++;
  return bucket;
}

/** Durations seen. */
export function countOf(slots: Float64Array, at: number): number {
  let count = 0;
  for (let i = 0; i <= OVERFLOW; i++) count += slots[at + i] as number;
  return count;
}

/** Their sum in nanoseconds. */
export function sumNsOf(slots: Float64Array, at: number): number {
  return slots[at + OVERFLOW + 1] as number;
}
