import { type Lease, type LeaseSource, lend, ServingError, type Tensor } from '../../core/index.js';

/** What is kept of intermediate tensors, over all ensembles. */
export interface KeptBytesLimits {
  /** Pooled memory for what has to be copied; what it has no room for is garbage-collected memory. */
  readonly memory: LeaseSource;
  /** Most bytes at once. */
  readonly maxBytes: number;
}

/** Of `maxBytes`, what lanes' memory may be kept of; beyond it tensors are copied, which takes no more than they have. */
const LENT_SHARE = 0.5;

/**
 * Keeps outputs of steps until nobody reads them any more: where the lane that computed them put them, as far as it lends that
 * (`lend`), else copied once. Memory of a lane counts whole, once, however many requests of a batch keep their parts of it.
 */
export class KeptBytes {
  readonly #limits: KeptBytesLimits;
  readonly #lent = new Map<Lease, KeptLease>();
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

  /** Keeps an output that is valid now, until the lease ends, whose one reference is the caller's. Throws OVERLOADED. */
  keep(tensor: Tensor): { readonly tensor: Tensor; readonly lease: Lease } {
    const lease = this.#lend(tensor.data);
    return lease === undefined ? this.#copy(tensor) : { tensor, lease };
  }

  /** Undefined: the lane does not lend it, or too much is lent. */
  #lend(data: Uint8Array): Lease | undefined {
    const lent = lend(data);
    if (lent === undefined) return undefined;
    const before = this.#lent.get(lent);
    if (before !== undefined) {
      before.retain();
      lent.release();
      return before;
    }
    const bytes = lent.bytes.byteLength;
    if (this.#bytes + bytes > this.#limits.maxBytes * LENT_SHARE) {
      lent.release();
      return undefined;
    }
    this.#bytes += bytes;
    const kept = new KeptLease(lent.bytes, () => {
      this.#bytes -= bytes;
      this.#lent.delete(lent);
      lent.release();
    });
    this.#lent.set(lent, kept);
    return kept;
  }

  #copy(tensor: Tensor): { readonly tensor: Tensor; readonly lease: Lease } {
    const { memory, maxBytes } = this.#limits;
    const bytes = tensor.data.byteLength;
    if (this.#bytes + bytes > maxBytes) {
      throw new ServingError(
        'OVERLOADED',
        `no memory for ${bytes} bytes of intermediate tensors: ${this.#bytes} of ${maxBytes} are in use`,
        { retryAfterMs: 1000 },
      );
    }
    const leased = memory.lease(bytes);
    const target = leased?.bytes ?? new Uint8Array(bytes);
    memory.copy(target, 0, tensor.data);
    this.#bytes += bytes;
    const lease = new KeptLease(target, () => {
      this.#bytes -= bytes;
      leased?.release();
    });
    return { tensor: { ...tensor, data: target.subarray(0, bytes) }, lease };
  }
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
  readonly parts: readonly Lease[];

  private constructor(leases: readonly [Lease, ...Lease[]]) {
    this.parts = leases;
    this.bytes = leases[0].bytes;
  }

  /** Undefined: all lie in garbage-collected memory. */
  static of(leases: ReadonlySet<Lease>): Lease | undefined {
    const [first, ...others] = leases;
    if (first === undefined) return undefined;
    return others.length === 0 ? first : new JoinedLease([first, ...others]);
  }

  retain(): void {
    for (const lease of this.parts) lease.retain();
  }

  release(): void {
    for (const lease of this.parts) lease.release();
  }
}
