import {
  type ModelVersionId,
  REASONS,
  type Reason,
  type RouteEvent,
  spendsErrorBudget,
  type VersionMetrics,
  type VersionStatistics,
} from '../core/index.js';
import { ExecutionFigures } from './execution-figures.js';
import { type Exemplar, readExemplars } from './latency/exemplars.js';
import { LatencySketch } from './latency/latency-sketch.js';
import { SKETCH_BINS } from './latency/sketch-bins.js';
import { FIGURES, figureSlots, RequestFigures, type Stage } from './request-figures.js';
import { responseStatistics } from './response-statistics.js';
import { ReuseFigures } from './reuse-figures.js';
import { countOf, sumNsOf, TIME_HISTOGRAM_SLOTS } from './time-histogram.js';

const NONE = Object.freeze({ count: 0, ns: 0 });

/** Upper bounds of the buckets of padding shares. */
export const PADDING_BOUNDS: readonly number[] = [0, 0.05, 0.1, 0.25, 0.5, 0.75];

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
  #before = new Float64Array(FIGURES.statistics);
  #queueDepth = 0;
  #reuse: ReuseFigures | undefined;

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
      part = figureSlots(true);
      new RequestFigures(part).slowNs = this.slowNs;
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

  reuse(): ReuseFigures {
    this.#reuse ??= new ReuseFigures();
    return this.#reuse;
  }

  /** Undefined: its answers are not used again. */
  get reusedFigures(): ReuseFigures | undefined {
    return this.#reuse;
  }

  setQueueDepth(requests: number): void {
    this.#queueDepth = requests;
  }

  get queueDepth(): number {
    return this.#queueDepth;
  }

  /** Requests answered. */
  get successes(): number {
    return countOf(this.#histogram(FIGURES.stage('total')), 0);
  }

  /** Rows of the requests answered; 1 each for a model without a batch axis. */
  get rows(): number {
    return this.#one(FIGURES.rows);
  }

  failures(reason: Reason): number {
    return this.#one(FIGURES.failed(reason));
  }

  /** Failures that count against its availability. */
  get faults(): number {
    return REASONS.reduce((sum, reason) => sum + (spendsErrorBudget(reason) ? this.failures(reason) : 0), 0);
  }

  routeEvents(event: RouteEvent): number {
    return this.#one(FIGURES.routed(event));
  }

  /** Nanoseconds that answered requests spent in a stage. */
  stageNs(stage: Stage): number {
    return sumNsOf(this.stageHistogram(stage), 0);
  }

  /** The histogram of a stage (layout of `time-histogram`). */
  stageHistogram(stage: Stage): Float64Array {
    return this.#histogram(FIGURES.stage(stage));
  }

  /** From the queue to the first response, of decoupled models. */
  firstResponses(): Float64Array {
    return this.#histogram(FIGURES.firstResponse);
  }

  /** The time of answered requests by one route (a place), or of one level of priority, from 1. */
  routeHistogram(place: number): Float64Array {
    return this.#histogram(FIGURES.route(place));
  }

  priorityHistogram(place: number): Float64Array {
    return this.#histogram(FIGURES.priority(place));
  }

  /** Requests by a route that failed: by the server's fault, and otherwise. */
  routeFailures(place: number): { readonly faults: number; readonly others: number } {
    const at = FIGURES.routeFaults(place);
    return { faults: this.#one(at), others: this.#one(at + 1) };
  }

  /** The times of all answered requests. */
  latency(): LatencySketch {
    return new LatencySketch(this.#sum(FIGURES.sketch, FIGURES.sketch + SKETCH_BINS));
  }

  /** Of the slowest request that was answered; 0: none was. */
  get longestNs(): number {
    return Math.max(...this.#arrays().map((slots) => slots[FIGURES.longestNs] as number));
  }

  exemplars(): readonly (Exemplar | undefined)[] {
    return readExemplars(this.#arrays(), FIGURES.exemplars);
  }

  /** From when on requests count as slow, on all threads. */
  setSlowNs(ns: number): void {
    for (const slots of this.#arrays()) new RequestFigures(slots).slowNs = ns;
  }

  slowRequests(): { readonly count: number; readonly told: number } {
    return { count: this.#one(FIGURES.slow), told: this.#one(FIGURES.slowTold) };
  }

  /** A load of the version begins its statistics anew, as it does in Triton, where they belong to the loaded model. */
  restartStatistics(): void {
    this.#before = this.#sum(0, FIGURES.statistics);
    this.executions.restartStatistics();
    this.#reuse?.restartStatistics();
  }

  /** Triton's figures (`InferenceStatsAggregator`): every request counts the whole compute of its batch. */
  statistics(): VersionStatistics {
    const since = this.#sum(0, FIGURES.statistics).map((now, i) => now - (this.#before[i] as number));
    const spent = (...stages: Stage[]) => ({
      count: countOf(since, FIGURES.stage(stages[0] as Stage)),
      ns: Math.round(stages.reduce((ns, stage) => ns + sumNsOf(since, FIGURES.stage(stage)), 0)),
    });
    const failed = REASONS.reduce((sum, reason) => sum + (since[FIGURES.failed(reason)] as number), 0);
    return {
      id: this.id,
      lastInferenceMs: this.executions.lastMs,
      inferenceCount: since[FIGURES.rows] as number,
      executionCount: this.executions.countSinceLoad,
      success: spent('total'),
      fail: { count: failed, ns: Math.round(since[FIGURES.failedNs] as number) },
      queue: spent('queue'),
      computeInput: spent('gather'),
      computeInfer: spent('dispatch', 'compute'),
      computeOutput: spent('scatter'),
      cacheHit: this.#reuse?.sinceLoad('hits') ?? NONE,
      cacheMiss: this.#reuse?.sinceLoad('misses') ?? NONE,
      batches: this.executions.statistics(),
      responses: responseStatistics(since),
    };
  }

  /** Of this thread, and of all others. */
  #arrays(): Float64Array[] {
    return [this.slots, ...this.#parts.values()];
  }

  #one(at: number): number {
    return this.#sum(at, at + 1)[0] as number;
  }

  #histogram(at: number): Float64Array {
    return this.#sum(at, at + TIME_HISTOGRAM_SLOTS);
  }

  /** The slots of all threads together, in an array of their own. */
  #sum(from: number, to: number): Float64Array<ArrayBuffer> {
    const sum = this.slots.slice(from, to) as Float64Array<ArrayBuffer>;
    for (const part of this.#parts.values())
      for (let i = 0; i < sum.length; i++) (sum[i] as number) += part[from + i] as number;
    return sum;
  }
}
