/** One output of a part, in the order of the lane's layout; `data` is transferred, a buffer for all outputs together. */
export interface PartTensor {
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

/** A response of a decoupled model before the last one, from its worker. */
export interface PartMessage {
  /** `RunTask.stream`. */
  readonly run: number;
  readonly tensors: readonly PartTensor[];
  readonly bytes: number;
}

/** What the worker is told of such a run: one part was taken, or nobody wants any more. */
export interface PartControl {
  readonly run: number;
  readonly kind: 'taken' | 'cancel';
}
