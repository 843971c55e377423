import type { Behalf } from './ensemble.js';
import type { ServingError } from './errors.js';
import type { Lease } from './lease.js';
import type { ModelVersionId } from './model.js';
import type { RequestTrace } from './request-trace.js';
import type { SequencePart } from './sequence.js';
import type { Tensor } from './tensor.js';
import type { TextUse } from './text-model.js';

/** A request or response parameter; integers beyond 2^53 are bigint. */
export type ParameterValue = boolean | number | bigint | string;
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** One output that a request asks for. */
export interface OutputRequest {
  readonly name: string;
  /** Classification extension: the k highest as BYTES `value:index[:label]`; 0 = the tensor itself. */
  readonly classification: number;
}

/**
 * One inference as every protocol decodes it. Names, data types, shapes and byte lengths agree among themselves; whether
 * they agree with the model is for `dataplane` to say. The tensors' bytes belong to the transport, which keeps them as they
 * are until the reply; who reads them longer retains `lease`.
 */
export interface InferenceRequest {
  readonly model: string;
  /** Undefined: the version policy picks. */
  readonly version: number | undefined;
  /** Echoed; empty = none. */
  readonly id: string;
  readonly inputs: readonly Tensor[];
  /** Body of the raw binary form (header length 0): the one input's data; name and shape come from the model. */
  readonly rawInput: Uint8Array | undefined;
  /** What the tensors' bytes lie in; undefined: all of them are garbage-collected memory. */
  readonly lease?: Lease | undefined;
  /** Empty = all outputs. */
  readonly outputs: readonly OutputRequest[];
  /** The request's own parameters without those the fields below carry. */
  readonly parameters: Parameters;
  /** 0 = the model's default level. */
  readonly priority: number;
  /** The `timeout` parameter in microseconds; 0 = none. */
  readonly timeoutUs: number;
  /** From `grpc-timeout` and `x-request-timeout-ms`; monotonic nanoseconds, `NO_DEADLINE` where none. */
  readonly deadlineNs: number;
  /** As the transport's headers or metadata name them; absent or empty = they do not. Who is believed: `dataplane`. */
  readonly tenantHeader?: string | undefined;
  readonly criticalityHeader?: string | undefined;
  /** What routes in force want to know of the caller, and headers that are forwarded; absent: they want nothing, and none is. */
  readonly caller?: CallerTraits | undefined;
  /** Set where it is a step of another request; absent: it came from a client. */
  readonly behalf?: Behalf | undefined;
  /** What the call of texts was that it is a part of; absent: it is of none. */
  readonly texts?: TextUse;
  /** Its place in a sequence (parameters `sequence_id`, `sequence_start`, `sequence_end`); absent: it is in none. Set by its decoder. */
  sequence?: SequencePart;
  /** The trace that it belongs to, and who watches it; absent: nobody does, and it named none. Set by its transport before it is handed in. */
  trace?: RequestTrace | undefined;
  /** When the first byte of the request was seen, and when decoding ended; monotonic nanoseconds. */
  readonly receivedNs: number;
  readonly decodedNs: number;
}

/** What a transport reads of its caller for routes: nothing where no table in force asks for it. */
export interface WantedTraits {
  /** Names in lower case, each once. */
  readonly headers: readonly string[];
  /** The address of the caller's end of the connection. */
  readonly client: boolean;
}

export interface CallerTraits {
  /** Those that are wanted and were sent, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Without a port, an IPv4 address as such; empty: not known, or not wanted. */
  readonly client: string;
  /** Headers that are parameters of the request, by their names in lower case; absent: none is. */
  readonly forwarded?: Parameters | undefined;
}

/** The way a request took, as its answer names it. Made once for a table, never for a request. */
export interface RouteMark {
  readonly version: number;
  /** Of the rule, split or rollout that decided; `default`, or `named` where the client chose. */
  readonly route: string;
  /** Number of the table that decided. */
  readonly table: number;
  /** Of the figures of the route among those of a model, from 1; 0: it has none of its own (see `ModelTraffic.places`). */
  readonly place: number;
  /** Whether the model has routes or a rollout. */
  readonly routed: boolean;
  /** Names and values of `x-penstock-version`, `-route` and `-table`, in turn. */
  readonly headers: readonly string[];
  /** The same by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The same as parameters of an answer. */
  readonly parameters: Parameters;
}

/** Where a request's time went, in nanoseconds. Triton's compute_input = gather, compute_infer = dispatch + compute, compute_output = scatter. */
export interface LatencyBreakdown {
  decodeNs: number;
  queueNs: number;
  gatherNs: number;
  /** Hop to the carrier; with the pool carrier it cannot be told from compute and is 0. */
  dispatchNs: number;
  computeNs: number;
  scatterNs: number;
  encodeNs: number;
}

/**
 * An answer. `outputs` are views of the lane's buffers, valid only until the reply callback returns: encode at once,
 * synchronously, or copy.
 */
export interface InferenceResponse {
  readonly version: ModelVersionId;
  readonly id: string;
  readonly outputs: readonly Tensor[];
  readonly parameters: Parameters;
  readonly latency: LatencyBreakdown;
  /** Rows of the execution it was part of, its own included; 0 for a model without a batch axis. */
  readonly batchRows: number;
  /** Share of the execution that was padding, 0 to 1: dummy rows, and elements beyond the members' own lengths. */
  readonly paddingShare: number;
  /** Its part of the time of its device, in nanoseconds; absent: it was not on one. */
  readonly deviceNs?: number;
  /** What that costs, in the ledger's currency; absent: no price is known. */
  readonly cost?: number | undefined;
  /** How it came to its version. */
  readonly mark: RouteMark;
  /** Decoupled models only: its place among the responses to its request, from 0. */
  readonly index?: number;
}

/** Receives the one outcome of an accepted request, and what comes before it. Must not throw. */
export interface InferenceReply {
  /**
   * A response before the last one, of a decoupled model (`ModelSpec.decoupled`); absent: the caller takes one response, and
   * such models refuse it. Outputs are valid until this returns. The caller calls `taken` once the response has left its
   * memory: the model pauses while a bounded number of them has not (`PartSink`). None comes after `done` or `failed`.
   */
  part?(response: InferenceResponse, taken: () => void): void;
  /** The last response; of a decoupled model it may have no outputs: it says that nothing more comes. */
  done(response: InferenceResponse): void;
  /** `mark`: how it came to the version that it failed under; absent where it came to none. */
  failed(error: ServingError, mark?: RouteMark): void;
}

/** What a transport keeps of a request it handed in. */
export interface InferenceHandle {
  /** The client went away: frees its place in the queue; the reply gets `CLIENT_CANCELLED` unless already settled. */
  cancel(): void;
  /**
   * Ends the sequence that the request is in, if it is alive then: for a caller that begins one and may go away without its
   * end. Absent where it is in none that a server keeps. Holds nothing of the request.
   */
  readonly ending?: (() => void) | undefined;
}
