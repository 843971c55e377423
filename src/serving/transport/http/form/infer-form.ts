import type {
  InferenceHandle,
  InferenceReply,
  InferenceRequest,
  InferenceResponse,
  RouteMark,
  ServingError,
} from '../../../../core/index.js';
import type { RequestContext } from '../../../codec/index.js';
import type { Awaitable } from '../../ports.js';
import type { HttpState } from '../http-options.js';

/** What forms use of the server they belong to. */
export type FormServer = Pick<
  HttpState,
  'allowNan' | 'clock' | 'control' | 'offload' | 'offloadJsonBytes' | 'replies' | 'specs' | 'texts'
>;

/**
 * A form of inferences over HTTP: how a body becomes requests of the one path, and their outcome a body. One object a route of a
 * server. Limits, decompression, deadlines, tenants, traces, drain and the headers of every answer are not its business: see
 * `BodyExchange`.
 */
export interface InferForm {
  /** Headers that `decode` asks for, in lower case. */
  readonly headers?: readonly string[];
  /**
   * Decodes a whole body, decompressed; it stays as it is until the call has replied. Throws, or rejects with, what refuses the
   * request. Bodies from `offloadJsonBytes` on are for pool threads (`FormContext.ownedBody`).
   */
  decode(body: Uint8Array, context: FormContext): Awaitable<DecodedCall>;
  /** The body of an error, where the protocol has a form or status numbers of its own; absent: as V2. */
  errorAnswer?(error: ServingError): FormError;
}

export interface FormError {
  /** Undefined: what the table of errors says. */
  readonly status?: number;
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

/** What a form knows of a request beside its body. What it makes requests of is `RequestContext`. */
export interface FormContext extends RequestContext {
  /** As the path names it; empty where the pattern has no `:model`. */
  readonly model: string;
  /** What the pattern's `:label` stands for in the path; empty where it has none. */
  readonly label: string;
  /** The parameters of the pattern in turn, percent-decoded; of the last one without its verb (`:predict`). */
  readonly segments: readonly string[];
  /** Without its question mark. */
  readonly query: string;
  /** Empty = absent. */
  readonly contentType: string;
  readonly server: FormServer;
  /** Of those that the form asked for; empty = absent. */
  header(name: string): string;
  /** The body in an ArrayBuffer of its own, to be transferred to a pool thread: the body is gone then. */
  ownedBody(): Uint8Array;
  /** Aborts when the client goes away. */
  signal(): AbortSignal;
}

/** A body that was understood. */
export interface DecodedCall {
  /** Hands its requests in. `reply` is told once, when all of them have settled. Never throws. */
  begin(infer: Infer, reply: CallReply): InferenceHandle;
}

export type Infer = (request: InferenceRequest, reply: InferenceReply) => InferenceHandle;

/** Receives the one outcome of a call. Does not throw. */
export interface CallReply {
  /** False: the client has gone, and nothing need be encoded. */
  readonly wanted: boolean;
  /** One response of several, on routes that are answered by events; `taken` when the client has read it. None comes after `done` or `failed`. */
  part?(answer: EncodedAnswer, taken: () => void): void;
  done(answer: EncodedAnswer): void;
  failed(error: ServingError, mark?: RouteMark): void;
}

export interface EncodedAnswer {
  /** Whose way and figures the headers tell. */
  readonly response: InferenceResponse;
  /** Undefined: nobody wants it. Bytes may lie in the room of the server's replies. */
  readonly body: Uint8Array | string | undefined;
  readonly contentType: string;
  /** Default 200. */
  readonly status?: number;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}
