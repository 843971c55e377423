import type { RoundFigures } from './bench-result.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadGenerator } from './load-generator.js';
import type { LoadJob, LoadResult } from './load-job.js';

export interface MeasuredRound {
  readonly figures: RoundFigures;
  readonly result: LoadResult;
}

/** Runs one round of load; `serverCpuUs` reads the CPU time of the server, where it can be read. */
export async function measureRound(
  generator: LoadGenerator,
  job: LoadJob,
  serverCpuUs: () => Promise<number | undefined> | number | undefined,
): Promise<MeasuredRound> {
  const before = await serverCpuUs();
  const result = await generator.run(job);
  const after = await serverCpuUs();
  const latency = LatencyHistogram.of(result.latency);
  const { answers, errors, seconds, lag } = result;
  const figures = {
    perSecond: answers / seconds,
    p50Us: latency.quantileUs(0.5),
    p90Us: latency.quantileUs(0.9),
    p99Us: latency.quantileUs(0.99),
    p999Us: latency.quantileUs(0.999),
    maxUs: latency.maxUs,
    answers,
    errors,
    ...(before === undefined || after === undefined || answers === 0
      ? {}
      : { cpuUsPerRequest: (after - before) / answers }),
    ...(lag === undefined ? {} : { generatorLagP99Us: LatencyHistogram.of(lag).quantileUs(0.99) }),
  };
  return { figures, result };
}
