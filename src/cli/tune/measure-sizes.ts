import type { Batch, BatchMember, Clock, ModelVersionId } from '../../core/index.js';
import { sweepSizes } from '../../serving/batcher/index.js';
import type { LaneExecutor } from '../../serving/executor/index.js';
import { keepBusy } from './busy-instances.js';
import type { MeasuredSize } from './tuning-result.js';

/** Rounds over all sizes: what disturbs the machine for a while disturbs all of them. */
const ROUNDS = 4;

/** Sizes are not followed further after so many in a row that gave no more rows a second. */
const IN_VAIN = 3;
const WORTH_IT = 1.02;

/** Share of executions that the gateway plans with. */
const UPPER = 0.9;

export interface SizesToMeasure {
  readonly executor: LaneExecutor;
  readonly version: ModelVersionId;
  /** One row. */
  readonly member: BatchMember;
  readonly maxBatchSize: number;
  readonly budgetMs: number;
  readonly clock: Clock;
  /** Told of each stretch. */
  readonly onStretch: (rows: number, round: number, rounds: number) => void;
}

/**
 * The time of executions by batch size with all instances at work, within about `budgetMs` (an execution that began is
 * waited for). Ascending in rows; sizes that the time does not reach, and those past the use of batching, are left out.
 */
export async function measureSizes(options: SizesToMeasure): Promise<MeasuredSize[]> {
  const { executor, version, member, clock, budgetMs, onStretch } = options;
  const batchOf = (rows: number): Batch => Object.freeze({ version, members: new Array(rows).fill(member), rows });
  const endNs = clock.nowNs() + budgetMs * 1e6;

  // The first pass finds how far it is worth going, and touches the memory of each size.
  const sizes: number[] = [];
  let [bestRate, inVain, wallNs, before] = [0, 0, 0, 1];
  for (const rows of sweepSizes(options.maxBatchSize)) {
    const left = endNs - clock.nowNs();
    if (sizes.length > 0 && (wallNs * rows) / before > left / 2) break;
    onStretch(rows, 0, ROUNDS);
    await keepBusy(executor, batchOf(rows), 0, clock);
    ({ wallNs } = await keepBusy(executor, batchOf(rows), clock.nowNs() + 20e6, clock).then(perRun));
    sizes.push(rows);
    before = rows;
    inVain = rows / wallNs > bestRate * WORTH_IT ? 0 : inVain + 1;
    bestRate = Math.max(bestRate, rows / wallNs);
    if (inVain >= IN_VAIN) break;
  }

  const seen = sizes.map((rows) => ({ rows, executionsNs: [] as number[], wallNs: 0 }));
  const sliceNs = Math.max((endNs - clock.nowNs()) / (ROUNDS * sizes.length), 0);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const size of seen) {
      if (round > 1 && clock.nowNs() > endNs) break;
      onStretch(size.rows, round, ROUNDS);
      const stretch = await keepBusy(executor, batchOf(size.rows), clock.nowNs() + sliceNs, clock);
      size.executionsNs.push(...stretch.executionsNs);
      size.wallNs += stretch.wallNs;
    }
  }
  return seen.map(measured);
}

const perRun = ({ executionsNs, wallNs }: { executionsNs: readonly number[]; wallNs: number }) => ({
  wallNs: wallNs / Math.max(executionsNs.length, 1),
});

function measured(size: { rows: number; executionsNs: readonly number[]; wallNs: number }): MeasuredSize {
  const sorted = [...size.executionsNs].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length / 10);
  const middle = sorted.slice(cut, sorted.length - cut);
  const meanMs = middle.reduce((sum, ns) => sum + ns, 0) / middle.length / 1e6;
  const at = (share: number) => (sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0) / 1e6;
  const upperMs = Math.max(at(UPPER), meanMs);
  return {
    rows: size.rows,
    meanMs: rounded(meanMs),
    upperMs: rounded(upperMs),
    p99Ms: rounded(Math.max(at(0.99), upperMs)),
    rowsPerSecond: Number(((sorted.length * size.rows * 1e9) / size.wallNs).toFixed(1)),
    executions: sorted.length,
  };
}

/** To a tenth of a microsecond. */
function rounded(ms: number): number {
  return Number(ms.toFixed(4));
}
