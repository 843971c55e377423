/**
 * Bytes lent out of pooled memory until the last reference to them is released; then they belong to somebody else, and
 * what was a tensor is another request's. So everyone who reads them later than the call they were given in holds a
 * reference of their own.
 *
 * Who does, along the path of an inference: the transport that leased a body holds it until its reply is called (`done` or
 * `failed`, whatever came first: an answer, a deadline, a cancellation). A lane that copies its inputs in `run` needs none.
 * A lane whose run reads them in place retains in `run` and releases when the run has returned, however late, because a
 * request that was cancelled is settled at once while the model goes on reading.
 */
export interface Lease {
  /** At least as many bytes as were asked for, at a 64-byte boundary of shared memory; what they hold is undefined. */
  readonly bytes: Uint8Array;
  /** Takes one more reference. Throws (our mistake) where none is left. */
  retain(): void;
  /** Gives one reference back; the last one ends the lease. Throws (our mistake) where none is left. */
  release(): void;
  /** The leases that it stands for, where it is several; `bytes` are those of the first. */
  readonly parts?: readonly Lease[];
}

/** The lease, or the part of one, that `data` lies in; undefined: it lies in none. */
export function leaseOf(lease: Lease | undefined, data: Uint8Array): Lease | undefined {
  if (lease === undefined || lies(data, lease.bytes)) return lease;
  for (const part of lease.parts ?? []) {
    const found = leaseOf(part, data);
    if (found !== undefined) return found;
  }
  return undefined;
}

function lies(data: Uint8Array, within: Uint8Array): boolean {
  const from = data.byteOffset - within.byteOffset;
  return data.buffer === within.buffer && from >= 0 && from + data.byteLength <= within.byteLength;
}

/** Where leases come from. */
export interface LeaseSource {
  /**
   * Memory for `bytes` bytes, its one reference the caller's; or undefined where the pool has none (used up, or more than
   * its largest slot): the caller takes memory of its own then. Never throws.
   */
  lease(bytes: number): Lease | undefined;
  /**
   * Copies `source` to `target` from `at` on, as fast where one is shared memory as where none is. Throws `RangeError` where it
   * does not fit.
   */
  readonly copy: ByteCopy;
}

export type ByteCopy = (target: Uint8Array, at: number, source: Uint8Array | ArrayBuffer) => void;

/** Copies as JavaScript does; see `LeaseSource.copy` for what is faster. */
export function setBytes(target: Uint8Array, at: number, source: Uint8Array | ArrayBuffer): void {
  target.set(ArrayBuffer.isView(source) ? source : new Uint8Array(source), at);
}
