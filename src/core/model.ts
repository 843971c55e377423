import type { DataType } from './data-type.js';
import type { ImageRecipe } from './image-recipe.js';
import type { TextModel } from './text-model.js';

/** One version of one model. Versions are positive integers, as folder names of a repository have them. */
export interface ModelVersionId {
  readonly model: string;
  readonly version: number;
}

/** `name/version`, for maps, logs and metric keys. */
export function versionKey(id: ModelVersionId): string {
  return `${id.model}/${id.version}`;
}

/** One input or output as clients see it. */
export interface TensorSpec {
  readonly name: string;
  readonly dataType: DataType;
  /** Dimensions less the batch axis where the model batches; -1 = any size. */
  readonly dims: readonly number[];
  /** Dimensions the model itself takes or gives, less the batch axis; the same as `dims` unless `reshape` is configured. */
  readonly modelDims: readonly number[];
  /** Inputs only: may be left out of a request. */
  readonly optional: boolean;
  /** Outputs only: class names by index, for the classification extension. */
  readonly labels: readonly string[] | undefined;
  /** Axes whose size is the request's length (a number of tokens, say), as the config declares them; absent: none. */
  readonly lengthAxes?: LengthAxes;
  /** Inputs only: how a picture becomes its elements, as the config declares it; absent: it takes none. */
  readonly image?: ImageRecipe;
}

/**
 * Axes of a tensor that all have one size in a request, its length, and that requests of different lengths may differ in
 * within a batch: the inputs of the shorter ones are padded, their outputs cut back.
 */
export interface LengthAxes {
  /** Ascending, counted as in a request's shape: 0 is the batch axis, so never in here. */
  readonly axes: readonly number[];
  /** What an input is padded with, a value of its data type. Outputs: 0, unused. */
  readonly padValue: number;
}

/** Triton's `ModelQueuePolicy` (model_config.proto). */
export interface QueuePolicy {
  readonly timeoutAction: 'REJECT' | 'DELAY';
  /** 0 = none. */
  readonly defaultTimeoutUs: number;
  /** Whether a request's `timeout` parameter may shorten (never lengthen) the time-out. */
  readonly allowTimeoutOverride: boolean;
  /** 0 = the server's own bound (`maxQueueSize` of the server's config). */
  readonly maxQueueSize: number;
}

/** Triton's `ModelDynamicBatching`, completed with defaults. */
export interface BatchPolicy {
  /** False: one request is one execution (Triton's default scheduler), queued all the same. */
  readonly dynamic: boolean;
  /** 0: the model has no batch axis; else the most rows of one execution, requests' own rows included. */
  readonly maxBatchSize: number;
  /** Most rows of one request where larger ones than `maxBatchSize` are split into parts; absent: they are not. */
  readonly maxRequestRows?: number;
  /** Sizes that executions may have, ascending, the last `maxBatchSize`; dummy rows fill them. Absent: any size. */
  readonly allowedBatchSizes?: readonly number[];
  /** Lengths that batches are padded to, ascending; longer requests run at their own. Absent: to the longest member's. */
  readonly lengthClasses?: readonly number[];
  /** Most rows times length of one execution whose requests have lengths, padding and dummy rows included; a request alone may have more. Absent: no limit. */
  readonly maxBatchTokens?: number;
  readonly preferredBatchSizes: readonly number[];
  readonly maxQueueDelayUs: number;
  readonly preserveOrdering: boolean;
  /** Within how many milliseconds of its arrival a request shall be answered; 0 = no such aim. */
  readonly sloMs: number;
  /**
   * `auto`: no batch is larger than pays by what executions were seen to take; `max`: up to `maxBatchSize`. Absent: `auto`
   * where deadlines decide or there is an SLO, else `max`.
   */
  readonly batchLimit?: 'auto' | 'max';
  /** 0 = priorities off; else levels 1 (highest) to this. */
  readonly priorityLevels: number;
  readonly defaultPriorityLevel: number;
  readonly defaultQueuePolicy: QueuePolicy;
  /** By level; levels without an entry take the default policy. */
  readonly priorityQueuePolicies: ReadonlyMap<number, QueuePolicy>;
}

/** How an answer of plain JSON looks: which outputs it has, and in which form. */
export interface PlainAnswer {
  /** Names of the outputs it has, in this order; empty: all. */
  readonly outputs: readonly string[];
  /** Output name to number: of each row the so many highest values with their index and label, in place of all. */
  readonly top: Readonly<Record<string, number>>;
  /** Whether the only output stands for itself, without its name. */
  readonly bare: boolean;
}

/** A model as TensorFlow Serving's clients may ask for it by `signature_name`. */
export interface DeclaredSignature {
  readonly name: string;
  /** The method that it is for; `predict` takes every one. */
  readonly method: SignatureMethod;
  /** Inputs and outputs of the model by their names in the signature, in its order. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

export type SignatureMethod = 'predict' | 'classify' | 'regress';

/** What the data path needs to know of a version that serves. Frozen. */
export interface ModelSpec {
  readonly id: ModelVersionId;
  /** `onnxruntime_onnx`, `penstock_script` ...; the protocol's `platform`. */
  readonly platform: string;
  readonly backend: string;
  readonly maxBatchSize: number;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batching: BatchPolicy;
  /** How answers of plain JSON look, as the config declares it; absent: every output, by its name. */
  readonly plainAnswer?: PlainAnswer;
  /** Declared ones; `serving_default` is all of the model where none has that name. Absent: none. */
  readonly signatures?: readonly DeclaredSignature[];
  /** The model that explains it; absent: none does. */
  readonly explainer?: string;
  /** Its requests are in sequences; absent: each is its own. */
  readonly sequences?: true;
  /** Triton's decoupled transaction policy: a request has any number of responses, and is an execution of its own. */
  readonly decoupled?: true;
  /** The parameters of its requests reach the model (scripts); absent: they do not. Steps of an ensemble have those of its request in any case. */
  readonly takesParameters?: true;
  /** Warning counters and docs may name where the spec came from: `config.pbtxt`, `config.yaml`, `model`. */
  readonly source: string;
  /** Of a model of texts: what protocols of texts go by. */
  readonly text?: TextModel;
}
