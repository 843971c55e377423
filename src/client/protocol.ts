import type { AnyOutputs } from './tensor.js';

/** A parameter of a request or an answer. */
export type ParameterValue = boolean | number | bigint | string;
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** What a request says beside its inputs. */
export interface InferOptions {
  /** Version of the model; default: the server picks by the model's version policy and its routes. */
  readonly version?: number | string;
  /** Comes back in the answer, and stands in logs and traces. Among requests in flight on one stream each is there once. */
  readonly id?: string;
  /** Names of the outputs wanted, in that order; default all. */
  readonly outputs?: readonly string[];
  /** Parameters of the request: `sequence_id`, `penstock_explain`, a model's own ... */
  readonly parameters?: Parameters;
  /** 1 = highest; default the model's own. */
  readonly priority?: number;
  /**
   * Milliseconds for the whole call, retries included; 0 = no limit; default that of the client. The server is told (not over a
   * WebSocket, which has no deadlines), and drops what is too late.
   */
  readonly timeoutMs?: number;
  /** Aborting it rejects the call with reason `ABORTED` and, but for streams, frees its place on the server. */
  readonly signal?: AbortSignal;
}

/** An answer. Outputs that were not asked for are not in `outputs`. */
export interface InferAnswer<O = AnyOutputs> {
  readonly model: string;
  /** The version that answered. */
  readonly version: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly outputs: O;
}

/** What a call that is no inference takes. */
export type CallOptions = Pick<InferOptions, 'timeoutMs' | 'signal'>;

/** `GET /v2`. */
export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** A tensor of a model; -1 = any size. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** `GET /v2/models/NAME`. */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** How often, and nanoseconds in all. */
export interface DurationStatistic {
  readonly count: number;
  readonly ns: number;
}

/** Figures of one model version since it was loaded. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0 = none yet. */
  readonly last_inference: number;
  /** Items; a batch of four counts four. */
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<
    Record<
      'success' | 'fail' | 'queue' | 'compute_input' | 'compute_infer' | 'compute_output' | 'cache_hit' | 'cache_miss',
      DurationStatistic
    >
  >;
}

/** A row of the repository's index. */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state: string;
  readonly reason: string;
}

/** What a load may bring along. */
export interface LoadOptions extends CallOptions {
  /** The model's configuration in place of the stored one (Triton's ModelConfig in JSON form). */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Content by `VERSION/FILE`; needs `config`. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/** One class of a classification. */
export interface ClassScore {
  readonly value: number;
  readonly index: number;
  /** Undefined where the model has no labels. */
  readonly label: string | undefined;
}
