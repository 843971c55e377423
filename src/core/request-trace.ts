import type { CriticalityName } from './criticality.js';
import type { Reason, ServingError } from './errors.js';
import type { InferenceRequest, InferenceResponse, RouteMark } from './inference.js';
import type { ModelVersionId } from './model.js';

/** Where a request stands in a distributed trace (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits in lower case. */
  readonly traceId: string;
  /** 16 of them: of the span that this gateway makes of the request. */
  readonly spanId: string;
  /** Whether its spans are exported, as far as is known now: one that is kept for its error or its latency gets true when it is answered. */
  readonly sampled: boolean;
}

/** How a request came; of `websocket` and `grpc_stream` one message is one request. */
export const WATCHED_PROTOCOLS = ['http', 'websocket', 'grpc', 'grpc_stream'] as const;
export type WatchedProtocol = (typeof WATCHED_PROTOCOLS)[number];

/** What is told of the execution that a request was part of: `MemberDone` of the batcher has it. */
export interface WatchedRun {
  /** From 1, counted by the version while it is loaded, the same for all members; 0 = it was in none. */
  readonly execution: number;
  readonly queueNs: number;
  readonly gatherNs: number;
  readonly dispatchNs: number;
  readonly computeNs: number;
  /** Rows of the whole execution; 0 for a model without a batch axis. */
  readonly batchRows: number;
  readonly paddingShare: number;
  /** Requests of the whole execution. */
  readonly batchRequests: number;
  /** Where it ran, as `deviceNumber` has it. */
  readonly device: number;
  /** Monotonic; the same for all members. */
  readonly batchFinishedNs: number;
  /** Of an ensemble: what its steps were part of, in the order in which they ended. */
  readonly steps?: readonly WatchedStep[] | undefined;
}

/** A step of an ensemble that ran. */
export interface WatchedStep {
  /** Place in the ensemble's config, from 0. */
  readonly step: number;
  readonly version: ModelVersionId;
  readonly enqueuedNs: number;
  readonly run: WatchedRun;
}

/** What became of a copy of a request. */
export interface WatchedCopy {
  readonly version: ModelVersionId;
  readonly enqueuedNs: number;
  /** Undefined: it did not run to its end. */
  readonly run: WatchedRun | undefined;
  /** Undefined: it was answered. */
  readonly reason: Reason | undefined;
}

/**
 * A request as it is watched: told by transport and data path what becomes of it, so that spans and lines can be made of it
 * afterwards. Nothing here throws or waits.
 */
export interface RequestTrace extends TraceContext {
  /** Of its body or message, as it came. */
  requestBytes: number;
  /** Address of the caller's end of the connection; empty where nobody wants it (`RequestWatch.wantsClient`). */
  client: string;
  /** As the request's path names it, or it was decoded to; empty = neither. */
  model: string;
  /** Transport: what it was decoded to. */
  decoded(request: InferenceRequest): void;
  /** Transport: the context that one message of a connection names for itself; without effect where it is not valid. */
  adopt(traceparent: string, tracestate: string): void;
  /** Data path: it enters a queue. Again where it is tried a second time. */
  admitted(enqueuedNs: number, tenant: string, criticality: CriticalityName): void;
  /** Data path: its execution ended. */
  ran(run: WatchedRun): void;
  /** Data path: it failed, begun in an execution or not; see `MemberFailed` of the batcher. */
  broke(execution: number, begunNs: number | undefined): void;
  /** Data path: a copy of it ended, after its own answer. */
  copied(copy: WatchedCopy): void;
  /**
   * Transport: it is about to be answered. Gives the context that the answer names, in the form of `traceparent`; undefined: none,
   * as it is not sampled and nobody asked.
   */
  answering(response: InferenceResponse, asked: boolean): string | undefined;
  /** Transport: it is about to be refused. As above. */
  failing(error: ServingError, mark: RouteMark | undefined, asked: boolean): string | undefined;
  /** Transport: its answer has left, or nobody waits for one; once, after one of the two above. `bytes`: of the answer's body. */
  ended(bytes: number): void;
}

/** A call that is no inference, or none that could be read, from its head to its answer. */
export interface WatchedCall {
  /** It was answered, or its caller has gone. `status`: of HTTP, or the number of gRPC's code; `bytes`: of the answer's body. */
  ended(status: number, bytes: number): void;
}

/** Where transports announce requests. */
export interface RequestWatch {
  /** Absent: nobody wants to know of calls that are no inferences. `client` as above. */
  readonly call?:
    | ((protocol: 'http' | 'grpc', method: string, path: string, userAgent: string, client: string) => WatchedCall)
    | undefined;
  /** Whether `RequestTrace.client` is to be filled. */
  readonly wantsClient: boolean;
  /**
   * A request came. `traceparent`, `tracestate`, `userAgent`: as its headers or metadata have them, empty = absent. Undefined: it
   * need not be watched.
   */
  begin(
    protocol: WatchedProtocol,
    receivedNs: number,
    traceparent: string,
    tracestate: string,
    userAgent: string,
  ): RequestTrace | undefined;
}
