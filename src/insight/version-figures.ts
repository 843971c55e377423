import {
  type LatencyBreakdown,
  type ModelVersionId,
  REASONS,
  type Reason,
  type RequestMetrics,
  ROUTE_EVENTS,
  type RouteEvent,
  type VersionMetrics,
  type VersionStatistics,
} from '../core/index.js';
import { ExecutionFigures } from './execution-figures.js';
import { countOf, observeNs, sumNsOf, TIME_HISTOGRAM_SLOTS } from './time-histogram.js';

/** Where a request's time goes, in order; `total` is from first byte to encoded reply. */
export const STAGES = ['decode', 'queue', 'gather', 'dispatch', 'compute', 'scatter', 'encode', 'total'] as const;
export type Stage = (typeof STAGES)[number];

/** Slot of each reason, as one constant object: a Map would be asked for every failure. */
const REASON_SLOTS = Object.fromEntries(REASONS.map((reason, i) => [reason, i])) as Record<Reason, number>;

/** The slots of the figures in their array: one histogram a stage, then the single ones. */
const FAILED = STAGES.length * TIME_HISTOGRAM_SLOTS;
const FAILED_NS = FAILED + REASONS.length;
const ROWS = FAILED_NS + 1;
const ROUTED = ROWS + 1;
const SLOTS = ROUTED + ROUTE_EVENTS.length;

const [DECODE, QUEUE, GATHER, DISPATCH, COMPUTE, SCATTER, ENCODE, TOTAL] = STAGES.map(
  (_, i) => i * TIME_HISTOGRAM_SLOTS,
) as [number, number, number, number, number, number, number, number];

/** Upper bounds of the buckets of padding shares. */
export const PADDING_BOUNDS: readonly number[] = [0, 0.05, 0.1, 0.25, 0.5, 0.75];

/** Figures of the requests of one version, as one thread writes them: a handful of additions. */
export class RequestFigures implements RequestMetrics {
  readonly slots: Float64Array;

  constructor(slots: Float64Array = new Float64Array(SLOTS)) {
    this.slots = slots;
  }

  succeeded(rows: number, latency: LatencyBreakdown, totalNs: number): void {
    const slots = this.slots;
    observeNs(slots, DECODE, latency.decodeNs);
    observeNs(slots, QUEUE, latency.queueNs);
    observeNs(slots, GATHER, latency.gatherNs);
    observeNs(slots, DISPATCH, latency.dispatchNs);
    observeNs(slots, COMPUTE, latency.computeNs);
    observeNs(slots, SCATTER, latency.scatterNs);
    observeNs(slots, ENCODE, latency.encodeNs);
    observeNs(slots, TOTAL, totalNs);
    (slots[ROWS] as number) += rows;
  }

  failed(reason: Reason, totalNs: number): void {
    (this.slots[FAILED + REASON_SLOTS[reason]] as number)++;
    (this.slots[FAILED_NS] as number) += Math.max(totalNs, 0);
  }

  routed(event: RouteEvent): void {
    (this.slots[ROUTED + ROUTE_EVENTS.indexOf(event)] as number)++;
  }
}

/**
 * The figures of one version in typed arrays: one of this thread, and one of each other thread that answers requests.
 * Reading adds them up. They grow for as long as the version is in the repository, reloads included, as Prometheus counters
 * must; the statistics of the protocol begin anew with each load (see `restartStatistics`).
 */
export class VersionFigures extends RequestFigures implements VersionMetrics {
  readonly id: ModelVersionId;
  readonly executions: ExecutionFigures;
  /** Executions by the share of them that was padding, as `PADDING_BOUNDS` has them and one beyond; and the sum of the shares. */
  readonly padding = new Float64Array(PADDING_BOUNDS.length + 1);
  paddingSum = 0;
  readonly #parts = new Map<number, Float64Array>();
  /** The figures when the version was last loaded. */
  #before = new Float64Array(SLOTS);
  #queueDepth = 0;

  /** `wallMs`: the wall clock, for `last_inference`. */
  constructor(id: ModelVersionId, wallMs: () => number) {
    super();
    this.id = id;
    this.executions = new ExecutionFigures(wallMs);
  }

  /** Memory for the figures of another thread, the same whenever it is asked for; that thread alone writes to it. */
  partOf(thread: number): SharedArrayBuffer {
    let part = this.#parts.get(thread);
    if (part === undefined) {
      part = new Float64Array(new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT));
      this.#parts.set(thread, part);
    }
    return part.buffer as SharedArrayBuffer;
  }

  executed(rows: number, gatherNs: number, computeNs: number, scatterNs: number, paddingShare: number): void {
    this.executions.add(rows, gatherNs, computeNs, scatterNs);
    let bucket = 0;
    while (paddingShare > (PADDING_BOUNDS[bucket] ?? 1)) bucket++;
    (this.padding[bucket] as number)++;
    this.paddingSum += paddingShare;
  }

  setQueueDepth(requests: number): void {
    this.#queueDepth = requests;
  }

  get queueDepth(): number {
    return this.#queueDepth;
  }

  /** Requests answered. */
  get successes(): number {
    return countOf(this.#sum(TOTAL, TOTAL + TIME_HISTOGRAM_SLOTS), 0);
  }

  /** Rows of the requests answered; 1 each for a model without a batch axis. */
  get rows(): number {
    return this.#sum(ROWS, ROWS + 1)[0] as number;
  }

  failures(reason: Reason): number {
    const at = FAILED + REASON_SLOTS[reason];
    return this.#sum(at, at + 1)[0] as number;
  }

  routeEvents(event: RouteEvent): number {
    const at = ROUTED + ROUTE_EVENTS.indexOf(event);
    return this.#sum(at, at + 1)[0] as number;
  }

  /** Nanoseconds that answered requests spent in a stage. */
  stageNs(stage: Stage): number {
    return sumNsOf(this.stageHistogram(stage), 0);
  }

  /** The histogram of a stage (layout of `time-histogram`). */
  stageHistogram(stage: Stage): Float64Array {
    const at = STAGES.indexOf(stage) * TIME_HISTOGRAM_SLOTS;
    return this.#sum(at, at + TIME_HISTOGRAM_SLOTS);
  }

  /** A load of the version begins its statistics anew, as it does in Triton, where they belong to the loaded model. */
  restartStatistics(): void {
    this.#before = this.#sum(0, SLOTS);
    this.executions.restartStatistics();
  }

  /** Triton's figures (`InferenceStatsAggregator`): every request counts the whole compute of its batch. */
  statistics(): VersionStatistics {
    const since = this.#sum(0, SLOTS).map((now, i) => now - (this.#before[i] as number));
    const count = countOf(since, TOTAL);
    const spent = (...stages: number[]) => ({
      count,
      ns: Math.round(stages.reduce((ns, stage) => ns + sumNsOf(since, stage), 0)),
    });
    const none = { count: 0, ns: 0 };
    let failed = 0;
    for (let i = 0; i < REASONS.length; i++) failed += since[FAILED + i] as number;
    return {
      id: this.id,
      lastInferenceMs: this.executions.lastMs,
      inferenceCount: since[ROWS] as number,
      executionCount: this.executions.countSinceLoad,
      success: spent(TOTAL),
      fail: { count: failed, ns: Math.round(since[FAILED_NS] as number) },
      queue: spent(QUEUE),
      computeInput: spent(GATHER),
      computeInfer: spent(DISPATCH, COMPUTE),
      computeOutput: spent(SCATTER),
      cacheHit: none,
      cacheMiss: none,
      batches: this.executions.statistics(),
    };
  }

  /** The slots of all threads together, in an array of their own. */
  #sum(from: number, to: number): Float64Array<ArrayBuffer> {
    const sum = this.slots.slice(from, to) as Float64Array<ArrayBuffer>;
    for (const part of this.#parts.values())
      for (let i = 0; i < sum.length; i++) (sum[i] as number) += part[from + i] as number;
    return sum;
  }
}
