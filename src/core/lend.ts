import type { Lease } from './lease.js';

/** Whose memory outputs lie in, where it can be kept by a reader instead of copied. */
export interface Lender {
  /** A lease of all of it, its one reference the caller's; the lender writes elsewhere until the last one is released. */
  lend(): Lease;
}

const lenders = new WeakMap<ArrayBufferLike, Lender>();

/** From now on whoever holds a view of `memory` while it is valid may keep it: see `lend`. */
export function offerToLend(memory: ArrayBufferLike, lender: Lender): void {
  lenders.set(memory, lender);
}

/** Offers memory that nobody will write again: whoever keeps it keeps it from being collected, and nothing more. */
export function offerForGood(data: Uint8Array): void {
  offerToLend(data.buffer, { lend: () => ({ bytes: data, retain: nothing, release: nothing }) });
}

function nothing(): void {}

/**
 * Keeps the memory that `data` lies in beyond the call in which it is valid (an output, until its `settle` or `done` returns),
 * without a copy. Undefined where it belongs to nobody who lends: it has to be copied then.
 */
export function lend(data: Uint8Array): Lease | undefined {
  return lenders.get(data.buffer)?.lend();
}
