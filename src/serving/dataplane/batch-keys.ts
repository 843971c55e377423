import type { ModelSpec, Tensor } from '../../core/index.js';

/** What must be equal to share a batch (`BatchKey` less the version), and the length of a request beside it. */
export interface BatchKey {
  /** Shapes of inputs that vary, length axes left out where `length` stands for them; which optional inputs are there. */
  readonly key: string;
  /** Size of all its length axes; 0: it has none, or they differ, so that nothing of it may be padded. */
  readonly length: number;
}

const FIXED: BatchKey = Object.freeze({ key: '', length: 0 });

/** Names what may share a batch. Compiled once per version; where all shapes are fixed it costs nothing. */
export class BatchKeys {
  readonly #batched: boolean;
  /** Length axes by input; none are empty. */
  readonly #axes: readonly (readonly number[])[];
  readonly #padded: boolean;
  /** True where two requests may differ in what they may share a batch with, lengths aside. */
  readonly #keyed: boolean;

  constructor({ inputs, maxBatchSize }: ModelSpec) {
    this.#batched = maxBatchSize > 0;
    const first = this.#batched ? 1 : 0;
    this.#axes = inputs.map(({ lengthAxes }) => lengthAxes?.axes ?? []);
    this.#padded = this.#axes.some((axes) => axes.length > 0);
    const varies = inputs.map(
      (input, i) =>
        input.optional || input.dims.some((dim, axis) => dim === -1 && !this.#axes[i]?.includes(axis + first)),
    );
    this.#keyed = varies.includes(true);
  }

  /** Of inputs in the spec's order, whose shapes are the spec's. */
  of(inputs: readonly (Tensor | undefined)[]): BatchKey {
    if (!this.#padded) return this.#keyed ? { key: this.#shapes(inputs, false), length: 0 } : FIXED;
    const length = this.#lengthOf(inputs);
    if (length === 0) return { key: this.#shapes(inputs, false), length };
    return { key: this.#keyed ? this.#shapes(inputs, true) : 'padded', length };
  }

  #lengthOf(inputs: readonly (Tensor | undefined)[]): number {
    let length = -1;
    for (let i = 0; i < inputs.length; i++) {
      const tensor = inputs[i];
      if (tensor === undefined) continue;
      for (const axis of this.#axes[i] as readonly number[]) {
        const size = tensor.shape[axis] as number;
        if (length !== -1 && size !== length) return 0;
        length = size;
      }
    }
    return Math.max(length, 0);
  }

  #shapes(inputs: readonly (Tensor | undefined)[], padded: boolean): string {
    const first = this.#batched ? 1 : 0;
    let key = padded ? 'padded;' : '';
    for (let i = 0; i < inputs.length; i++) {
      const tensor = inputs[i];
      if (tensor === undefined) {
        key += '-;';
        continue;
      }
      const { shape } = tensor;
      for (let axis = first; axis < shape.length; axis++) {
        if (!padded || !this.#axes[i]?.includes(axis)) key += `${shape[axis]},`;
      }
      key += ';';
    }
    return key;
  }
}
