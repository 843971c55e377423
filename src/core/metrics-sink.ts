import type { Reason } from './errors.js';
import type { LatencyBreakdown } from './inference.js';
import type { ModelVersionId } from './model.js';

/** What happened to requests on their way by routes: answered by a filter, tried in the second place, its version ejected for it. */
export const ROUTE_EVENTS = ['answered_by_filter', 'second_try', 'ejection'] as const;
export type RouteEvent = (typeof ROUTE_EVENTS)[number];

/** What a response of a decoupled model was: with outputs, an error, the mark of the end alone, or not wanted any more. */
export const RESPONSE_KINDS = ['success', 'fail', 'empty', 'cancel'] as const;
export type ResponseKind = (typeof RESPONSE_KINDS)[number];

/** Figures of requests, written where they are answered. */
export interface RequestMetrics {
  /**
   * A request was answered. `rows`: its own rows; `totalNs`: from first byte to encoded reply; `route`: `RouteMark.place`;
   * `priority`: its level, 0 where the model has none; absent: 0.
   */
  succeeded(rows: number, latency: LatencyBreakdown, totalNs: number, route?: number, priority?: number): void;
  /** A request was answered without being computed: from a cache, or with an identical one. As `succeeded`. */
  reused(latency: LatencyBreakdown, totalNs: number, route?: number, priority?: number): void;
  /** A request got an error after it named this version. */
  failed(reason: Reason, totalNs: number, route?: number): void;
  /**
   * A decoupled model's response, its place from 0, or what ended its request there: `inferNs` since the response before it
   * (the first: since its request was queued), `outputNs` until it was handed on.
   */
  responded(index: number, kind: ResponseKind, inferNs: number, outputNs: number): void;
  /** `event` happened to a request that came to this version. */
  routed(event: RouteEvent): void;
  /** Requests that take so long are told to `SlowRequests`; infinite: none are. */
  readonly slowNs: number;
  /** One did; `told`: the log has it. */
  slow(told: boolean): void;
  /** A request that is traced was answered, at `atMs` of the wall clock. */
  traced(traceId: string, totalNs: number, atMs: number): void;
}

/** Figures of executions and of what waits for them. */
export interface QueueMetrics {
  /**
   * One execution ended well. `gatherNs`, `computeNs`, `scatterNs` are of the execution, once, not per member;
   * `paddingShare`: of what was executed, 0 to 1.
   */
  executed(rows: number, gatherNs: number, computeNs: number, scatterNs: number, paddingShare: number): void;
  /** Requests waiting now. */
  setQueueDepth(requests: number): void;
}

/** Figures of what was not computed twice. */
export interface ReuseMetrics {
  /** A request was answered from the cache, `ns` after its look-up began. */
  cacheHit(ns: number): void;
  /** A request was computed and its answer kept: look-up and keeping took `ns`. */
  cacheMiss(ns: number): void;
  /** A request waits for an identical one. */
  coalesced(): void;
}

/** Where the data path leaves its figures: one object a version, taken once, written to without look-ups or allocation. */
export interface VersionMetrics extends RequestMetrics, QueueMetrics {
  /** For a version whose answers are used again: the same object each time. */
  reuse(): ReuseMetrics;
}

export interface MetricsSink {
  /** The version's accumulators; the same object for the same id while it lives. */
  version(id: ModelVersionId): VersionMetrics;
  /** A request was refused before it named a known version. */
  refused(reason: Reason): void;
}

/** Triton's `StatisticDuration`. */
export interface DurationStatistic {
  readonly count: number;
  readonly ns: number;
}

/** Triton's per-version statistics (extension_statistics.md), as figures; the codecs give them their wire form. */
export interface VersionStatistics {
  readonly id: ModelVersionId;
  /** Milliseconds since the epoch; 0 = never. */
  readonly lastInferenceMs: number;
  readonly inferenceCount: number;
  readonly executionCount: number;
  readonly success: DurationStatistic;
  readonly fail: DurationStatistic;
  readonly queue: DurationStatistic;
  readonly computeInput: DurationStatistic;
  readonly computeInfer: DurationStatistic;
  readonly computeOutput: DurationStatistic;
  readonly cacheHit: DurationStatistic;
  readonly cacheMiss: DurationStatistic;
  /** By rows of the execution, ascending. */
  readonly batches: readonly {
    readonly rows: number;
    readonly computeInput: DurationStatistic;
    readonly computeInfer: DurationStatistic;
    readonly computeOutput: DurationStatistic;
  }[];
  /** Of decoupled models, by the place of a response; the last stands for all beyond. */
  readonly responses: readonly ResponseStatistics[];
}

/** Triton's `InferResponseStatistics`. */
export interface ResponseStatistics {
  readonly computeInfer: DurationStatistic;
  readonly computeOutput: DurationStatistic;
  readonly success: DurationStatistic;
  readonly fail: DurationStatistic;
  readonly emptyResponse: DurationStatistic;
  readonly cancel: DurationStatistic;
}

export interface StatisticsSource {
  /** Undefined where the version never served. */
  statistics(id: ModelVersionId): VersionStatistics | undefined;
}
