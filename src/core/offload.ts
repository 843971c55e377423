import type { PictureBatch, PictureRows } from './image-recipe.js';
import type { ModelSpec, TensorSpec } from './model.js';

/** Work that would hold a socket thread, done on pool threads. Buffers handed in are transferred: do not touch them again. */
export interface Offload {
  /**
   * Runs a named task of the pool's fixed table. Rejects with a `ServingError` of the task's own, `OVERLOADED` where the
   * pool's queue is full, `CLIENT_CANCELLED` where `signal` aborted it.
   */
  run<K extends keyof OffloadTasks>(
    task: K,
    input: OffloadTasks[K]['input'],
    signal?: AbortSignal,
  ): Promise<OffloadTasks[K]['output']>;
}

/** The tasks and their shapes. Rooms that own a task implement it as a pure function; the pool only carries it. */
export interface OffloadTasks {
  /** Inflates a body; refuses with BODY_TOO_LARGE past `maxBytes`, MALFORMED_REQUEST where the stream is broken. */
  decompress: {
    input: { readonly encoding: 'gzip' | 'deflate'; readonly body: Uint8Array; readonly maxBytes: number };
    output: Uint8Array;
  };
  /** Decodes a large V2 JSON body into tensors; the output's tensors share one buffer. */
  decodeV2Json: {
    input: {
      readonly body: Uint8Array;
      readonly jsonBytes: number;
      readonly allowNan: boolean;
      /** Reply form where the request says nothing. */
      readonly binaryByDefault: boolean;
    };
    output: unknown;
  };
  /** Decodes a large JSON body of KServe V1 or TensorFlow Serving for a model with these inputs. */
  decodePredict: {
    input: {
      readonly body: Uint8Array;
      readonly method: 'predict' | 'examples';
      readonly inputs: readonly Pick<TensorSpec, 'name' | 'dataType' | 'optional' | 'dims'>[];
      /** Whether the dimensions are without the batch axis. */
      readonly batched: boolean;
    };
    output: unknown;
  };
  /** Decodes a large JSON body of a plain route for such a model. */
  decodePlain: {
    input: { readonly body: Uint8Array; readonly model: Pick<ModelSpec, 'id' | 'inputs' | 'maxBatchSize'> };
    output: unknown;
  };
  /** Decodes pictures and makes the elements of an input of them; refuses with MALFORMED_REQUEST, SHAPE_MISMATCH. */
  picturesToRows: { input: PictureBatch; output: PictureRows };
}
