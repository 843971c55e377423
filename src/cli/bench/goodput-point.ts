import { LatencyHistogram } from './latency-histogram.js';
import type { LoadGenerator } from './load-generator.js';
import type { LoadJob, OpenLoad } from './load-job.js';

/** What became of the requests of one open-loop run at one rate. */
export interface GoodputPoint {
  /** Requests a second that were due. */
  readonly offeredPerSecond: number;
  readonly requests: number;
  /** Answered within the SLO, counted from the due time. */
  readonly inTime: number;
  readonly inTimePerSecond: number;
  /** Answered, but later. */
  readonly late: number;
  /** Refused by the server for lack of room or time. */
  readonly refused: number;
  /** Those of them that it said it had no time for: mostly it had taken them. */
  readonly outOfTime: number;
  /** Failed otherwise, or not answered at all. */
  readonly failed: number;
  /** Of answers and of refusals, from the due time; NaN where there is none. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refusalP99Ms: number;
  /** How late the generator sent what it could have sent: part of every latency. */
  readonly generatorLateP99Ms: number;
  /** The first request that was neither answered nor refused. */
  readonly firstError: string | undefined;
}

/** One run: `load.arrivalsMs` over `seconds`, each to be answered within `load.withinMs`. */
export async function goodputPoint(
  generator: LoadGenerator,
  job: Omit<LoadJob, 'load'>,
  load: OpenLoad,
  seconds: number,
): Promise<GoodputPoint> {
  const result = await generator.run({ ...job, load });
  const latency = LatencyHistogram.of(result.latency);
  const refusals = LatencyHistogram.of(result.refusals ?? EMPTY);
  const requests = load.arrivalsMs.length;
  const failed = result.errors - refusals.count;
  return {
    offeredPerSecond: requests / seconds,
    requests,
    inTime: result.inTime,
    inTimePerSecond: result.inTime / seconds,
    late: result.answers - result.inTime,
    refused: refusals.count,
    outOfTime: result.outOfTime,
    failed,
    p50Ms: latency.quantileUs(0.5) / 1000,
    p99Ms: latency.quantileUs(0.99) / 1000,
    refusalP99Ms: refusals.quantileUs(0.99) / 1000,
    generatorLateP99Ms: LatencyHistogram.of(result.lag ?? EMPTY).quantileUs(0.99) / 1000,
    firstError: failed > 0 ? result.firstError : undefined,
  };
}

const EMPTY = { buckets: [], counts: [], minUs: 0, maxUs: 0 };
