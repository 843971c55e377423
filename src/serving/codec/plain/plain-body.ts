import type { ModelSpec, PicturePlace, Tensor, TensorSpec } from '../../../core/index.js';

/** What is to be known of a model to read its plain bodies; plain data. */
export type PlainModel = Pick<ModelSpec, 'id' | 'inputs' | 'maxBatchSize'>;

/** Pictures of one input, still to be decoded; `places` in `body`, in the order of the rows. */
export interface PlainPictures {
  readonly spec: TensorSpec;
  readonly body: Uint8Array;
  readonly places: readonly PicturePlace[];
}

/** What a plain body says: the inputs of its rows. */
export interface PlainBody {
  readonly tensors: readonly Tensor[];
  readonly pictures: readonly PlainPictures[];
  /** Whether it was an array of rows, and its answer shall be one. */
  readonly batch: boolean;
  readonly rows: number;
}
