import type { HistogramData } from './latency-histogram.js';

export type LoadProtocol = 'http' | 'ws' | 'grpc';

/** Whom the requests go to. */
export interface LoadTarget {
  readonly protocol: LoadProtocol;
  readonly host: string;
  readonly port: number;
  /** Of the WebSocket's handshake; HTTP requests carry their own, gRPC has one for all. */
  readonly path: string;
}

/** When requests are sent. */
export type LoadShape =
  /** Each of `concurrency` callers sends its next request when its last is answered, for `ms` or until `requests` are sent. */
  { readonly kind: 'closed'; readonly concurrency: number; readonly ms: number; readonly requests?: number } | OpenLoad;

/**
 * Requests are due at fixed times, whatever the server does: ms from the start, ascending. `connections` may be in flight; what is
 * due while all are waits, and its latency with it. What is not answered `drainMs` after the last is due is an error.
 */
export interface OpenLoad {
  readonly kind: 'open';
  readonly arrivalsMs: Float64Array;
  readonly connections: number;
  readonly drainMs: number;
  /** An answer counts as in time within so many ms of its due time; absent: all do. */
  readonly withinMs?: number | undefined;
}

/** One run of load, sent to the load process. */
export interface LoadJob {
  readonly target: LoadTarget;
  /**
   * Requests as they go over the wire, taken in turn: a whole HTTP request, a whole masked WebSocket frame, or a bare
   * ModelInferRequest.
   */
  readonly requests: readonly Uint8Array[];
  readonly load: LoadShape;
}

/** What one run of load saw. */
export interface LoadResult {
  readonly answers: number;
  readonly errors: number;
  /** The first error in words. */
  readonly firstError: string | undefined;
  /** From the first request's time to the last answer. */
  readonly seconds: number;
  /** Of answers: from the sending (closed loop) or the due time (open loop) to the whole answer. */
  readonly latency: HistogramData;
  /** Open loop: answers within the load's `withinMs`. */
  readonly inTime: number;
  /** Open loop: requests that the server took and then had no time for. */
  readonly outOfTime: number;
  /** Open loop: of requests that the server refused for lack of room or time, from the due time to the refusal. */
  readonly refusals: HistogramData | undefined;
  /** Open loop: from the due time to the sending where a connection was free: what this generator itself is late. */
  readonly lag: HistogramData | undefined;
}
