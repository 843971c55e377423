import { type Lease, type LeaseSource, ServingError, type Tensor } from '../../core/index.js';

/** What is kept of intermediate tensors, over all ensembles. */
export interface KeptBytesLimits {
  /** Pooled memory; what it has no room for is garbage-collected memory. */
  readonly memory: LeaseSource;
  /** Most bytes at once. */
  readonly maxBytes: number;
}

/** Bytes are read in place by lanes: each tensor begins where any element may. */
const ALIGNED = 64;

/** Keeps outputs of steps until nobody reads them any more: one copy each, out of the lane that computed them. */
export class KeptBytes {
  readonly #limits: KeptBytesLimits;
  #bytes = 0;

  constructor(limits: KeptBytesLimits) {
    this.#limits = limits;
  }

  /** Bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** No more can be kept. */
  get full(): boolean {
    return this.#bytes >= this.#limits.maxBytes;
  }

  /** Copies tensors to where they stay until the lease ends, whose one reference is the caller's. Throws OVERLOADED. */
  keep(tensors: readonly Tensor[]): { readonly tensors: readonly Tensor[]; readonly lease: Lease } {
    const { memory, maxBytes } = this.#limits;
    let bytes = 0;
    for (const { data } of tensors) bytes += aligned(data.byteLength);
    if (this.#bytes + bytes > maxBytes) {
      throw new ServingError(
        'OVERLOADED',
        `no memory for ${bytes} bytes of intermediate tensors: ${this.#bytes} of ${maxBytes} are in use`,
        { retryAfterMs: 1000 },
      );
    }
    const leased = memory.lease(bytes);
    const target = leased?.bytes ?? new Uint8Array(bytes);
    let at = 0;
    const kept = tensors.map((tensor) => {
      const { byteLength } = tensor.data;
      memory.copy(target, at, tensor.data);
      const data = target.subarray(at, at + byteLength);
      at += aligned(byteLength);
      return { ...tensor, data };
    });
    this.#bytes += bytes;
    const lease = new KeptLease(target, () => {
      this.#bytes -= bytes;
      leased?.release();
    });
    return { tensors: kept, lease };
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNED) * ALIGNED;
}

class KeptLease implements Lease {
  readonly bytes: Uint8Array;
  readonly #ended: () => void;
  #references = 1;

  constructor(bytes: Uint8Array, ended: () => void) {
    this.bytes = bytes;
    this.#ended = ended;
  }

  retain(): void {
    if (this.#references === 0) throw new Error('the lease has ended: it cannot be retained');
    this.#references++;
  }

  release(): void {
    if (this.#references === 0) throw new Error('the lease was released more often than retained');
    if (--this.#references === 0) this.#ended();
  }
}

/** The leases that the inputs of one step lie in, as one. Holds no reference itself. */
export class JoinedLease implements Lease {
  readonly bytes: Uint8Array;
  readonly #leases: readonly Lease[];

  private constructor(leases: readonly [Lease, ...Lease[]]) {
    this.#leases = leases;
    this.bytes = leases[0].bytes;
  }

  /** Undefined: all lie in garbage-collected memory. */
  static of(leases: ReadonlySet<Lease>): Lease | undefined {
    const [first, ...others] = leases;
    if (first === undefined) return undefined;
    return others.length === 0 ? first : new JoinedLease([first, ...others]);
  }

  retain(): void {
    for (const lease of this.#leases) lease.retain();
  }

  release(): void {
    for (const lease of this.#leases) lease.release();
  }
}
