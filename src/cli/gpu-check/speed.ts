import type { ModelRunner } from './model-runner.js';
import { randomInput } from './random-input.js';

/** Batch sizes that are timed. */
export const TIMED_ROWS: readonly number[] = [1, 2, 4, 8, 16, 32, 64];

export interface Speed {
  readonly rows: number;
  /** One execution at a time, copies in and out included. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Rows a second with every lane of the instance kept busy. */
  readonly rowsPerSecond: number;
  readonly executions: number;
}

export interface Effort {
  /** Time of one batch size, for latency and again for throughput. */
  readonly budgetMs: number;
  /** Executions at least, whatever they take. */
  readonly leastRuns: number;
  /** Executions before the clock counts: libraries choose kernels by size at first sight. */
  readonly warmUpRuns: number;
}

export const DEFAULT_EFFORT: Effort = { budgetMs: 400, leastRuns: 5, warmUpRuns: 3 };

/** Times executions of each batch size. */
export async function speedOf(runner: ModelRunner, inputName: string, effort: Effort): Promise<Speed[]> {
  const speeds: Speed[] = [];
  for (const rows of TIMED_ROWS) {
    const input = randomInput(inputName, [rows, ...runner.rowShape], rows);
    for (let lane = 0; lane < runner.lanes; lane++)
      for (let i = 0; i < effort.warmUpRuns; i++) await runner.time(input, lane);

    const samplesUs: number[] = [];
    const endMs = performance.now() + effort.budgetMs;
    while (samplesUs.length < effort.leastRuns || performance.now() < endMs) {
      const startedMs = performance.now();
      await runner.time(input, 0);
      samplesUs.push((performance.now() - startedMs) * 1000);
    }
    samplesUs.sort((a, b) => a - b);

    const { runs, tookMs } = await saturate(runner, input, effort);
    speeds.push({
      rows,
      p50Us: quantile(samplesUs, 0.5),
      p99Us: quantile(samplesUs, 0.99),
      rowsPerSecond: (runs * rows * 1000) / tookMs,
      executions: samplesUs.length + runs,
    });
  }
  return speeds;
}

async function saturate(runner: ModelRunner, input: Parameters<ModelRunner['time']>[0], effort: Effort) {
  const startedMs = performance.now();
  const endMs = startedMs + effort.budgetMs;
  let runs = 0;
  const keepBusy = async (lane: number) => {
    for (let own = 0; own < effort.leastRuns || performance.now() < endMs; own++) {
      await runner.time(input, lane);
      runs++;
    }
  };
  await Promise.all(Array.from({ length: runner.lanes }, (_, lane) => keepBusy(lane)));
  return { runs, tookMs: performance.now() - startedMs };
}

/** Of sorted samples, at least one. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}
