import type { DataType, ModelSignature, OpenRequest, Parameters, ProviderShares } from '../../core/index.js';

/** One input or output of a batch inside a worker thread, in the raw form of core's `Tensor`. */
export interface ThreadTensor {
  readonly name: string;
  readonly dataType: DataType;
  /** Batch axis included. */
  readonly shape: readonly number[];
  /**
   * Inputs: a view of shared memory, at a multiple of 64 bytes, valid until `infer` settles. Outputs: copied by the caller
   * before the next call.
   */
  readonly data: Uint8Array;
}

/** An output as the model's spec has it. */
export interface ThreadOutputSpec {
  readonly name: string;
  readonly dataType: DataType;
  /** Dimensions of the model, less the batch axis where it batches; -1 = any size. */
  readonly dims: readonly number[];
}

export interface ThreadBatch {
  /** The inputs that are present. */
  readonly inputs: readonly ThreadTensor[];
  /** Wanted, in this order. */
  readonly outputs: readonly ThreadOutputSpec[];
  /** Rows along the batch axis; undefined where the model has none. */
  readonly rows: number | undefined;
  /** Of the request that each row is of (one row where the model has no batch axis); undefined: no request has any. */
  readonly parameters: readonly Parameters[] | undefined;
}

/** Where the responses of a request go that come before its last one. */
export interface PartOutlet {
  /** Aborted when nobody wants them any more. */
  readonly signal: AbortSignal;
  /** All outputs of one response, copied before this returns; resolves when the next one is wanted. Rejects with `BACKEND_FAILED`. */
  emit(outputs: readonly ThreadTensor[]): Promise<void>;
}

/** A model opened inside a worker thread. One call at a time, `stream` aside. */
export interface ThreadModel {
  readonly signature: ModelSignature;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
  /** The batch's outputs, in the order asked for. Rejects with `ServingError`: BACKEND_FAILED, OUTPUT_SHAPE_MISMATCH ... */
  infer(batch: ThreadBatch): Promise<readonly ThreadTensor[]>;
  /**
   * Decoupled models: gives the request's responses to `outlet`, then its last one, which may have no outputs. Stops soon after
   * the outlet's signal. Rejects as `infer`.
   */
  stream?(batch: ThreadBatch, outlet: PartOutlet): Promise<readonly ThreadTensor[]>;
  close(): Promise<void>;
}

/** What a module of `THREAD_MODELS` exports as `openThreadModel`. Throws MODEL_INVALID, UNSUPPORTED. */
export type OpenThreadModel = (request: OpenRequest, instance: number) => Promise<ThreadModel>;

export type ThreadModelKind = 'script' | 'onnx-node';

/** What the server says about each kind of model that runs inside a worker thread. */
export interface ThreadModelFacts {
  readonly backend: string;
  readonly platform: string;
  readonly defaultModelFiles: readonly string[];
  /** Module that a worker imports: by its URL, so that a worker loads no other backend. */
  readonly module: URL;
}
