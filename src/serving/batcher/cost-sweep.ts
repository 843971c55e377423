import type { Batch, BatchMember, SizeCost, Tensor } from '../../core/index.js';
import { RecentTimes } from './recent-times.js';

/** One execution that was tried: where it ran, and how long. `device` is undefined where all instances are on one. */
interface Trial {
  readonly device: string | undefined;
  readonly computeNs: number;
}

export interface SweepOptions {
  /** Runs a batch once on each device. Rejects where the model refuses it. */
  readonly tryBatch: (batch: Batch) => Promise<readonly Trial[]>;
  readonly version: Batch['version'];
  /** A request of one row; a batch of n holds it n times. */
  readonly member: BatchMember;
  readonly maxBatchSize: number;
  /** The sizes that are tried, ascending; by default those that tell the most. */
  readonly sizes?: readonly number[] | undefined;
  /** Length that the batches are padded to; 0: the member's own. */
  readonly length?: number;
  /** Ends before it would take longer: each size is expected to cost at most its share of what the one before it took. */
  readonly budgetNs: number;
  readonly nowNs: () => number;
}

/** Times each size is tried, where there is time. */
const ROUNDS = 5;

/** Larger sizes are not tried after so many in a row that gave no more rows a second: what they cost matters little. */
const IN_VAIN = 3;
const WORTH_IT = 1.02;

/** The sizes of batches that are measured: one by one up to 4, then in steps of a half and a third, and the largest. */
export function sweepSizes(maxBatchSize: number): number[] {
  const sizes: number[] = [];
  for (let power = 1; power < maxBatchSize; power *= 2) {
    sizes.push(power);
    const between = power * 1.5;
    if (power >= 2 && between < maxBatchSize) sizes.push(between);
  }
  return [...sizes, Math.max(maxBatchSize, 1)];
}

/**
 * Measures what executions take by size, all sizes in turn and round after round, so that what disturbs the machine meanwhile
 * disturbs them alike. By device, ascending in rows; a size that could not be tried within the time is left out.
 */
export async function sweepCosts(options: SweepOptions): Promise<ReadonlyMap<string | undefined, SizeCost[]>> {
  const { tryBatch, version, member, budgetNs, nowNs, length = 0 } = options;
  const endNs = nowNs() + budgetNs;
  const times = new Map<number, Map<string | undefined, number[]>>();
  const attempt = async (rows: number): Promise<number> => {
    const members = new Array<BatchMember>(rows).fill(member);
    const batch: Batch = Object.freeze({ version, members, rows, ...(length > 0 ? { padded: { rows, length } } : {}) });
    const startNs = nowNs();
    const trials = await tryBatch(batch);
    const ofSize = times.get(rows) ?? new Map<string | undefined, number[]>();
    times.set(rows, ofSize);
    for (const { device, computeNs } of trials) ofSize.set(device, [...(ofSize.get(device) ?? []), computeNs]);
    return nowNs() - startNs;
  };

  let sizes: readonly number[] = options.sizes ?? sweepSizes(options.maxBatchSize);
  for (let round = 0; round < ROUNDS; round++) {
    let [bestRate, inVain, tookNs, before] = [0, 0, 0, 1];
    for (const [index, rows] of sizes.entries()) {
      if (nowNs() + (tookNs * rows) / before > endNs) return costsOf(times);
      tookNs = await attempt(rows);
      before = rows;
      const rate = rows / tookNs;
      inVain = rate > bestRate * WORTH_IT ? 0 : inVain + 1;
      bestRate = Math.max(bestRate, rate);
      if (round === 0 && inVain >= IN_VAIN) {
        sizes = sizes.slice(0, index + 1);
        break;
      }
    }
  }
  return costsOf(times);
}

function costsOf(times: ReadonlyMap<number, ReadonlyMap<string | undefined, readonly number[]>>) {
  const byDevice = new Map<string | undefined, SizeCost[]>();
  for (const [rows, ofSize] of [...times].sort(([a], [b]) => a - b)) {
    for (const [device, ns] of ofSize) {
      const recent = new RecentTimes();
      // The first run of a size touches new memory: it counts only where there is no other.
      for (const one of ns.length > 1 ? ns.slice(1) : ns) recent.add(one, rows, 0);
      byDevice.set(device, [...(byDevice.get(device) ?? []), recent.cost()]);
    }
  }
  return byDevice;
}

/** The first row of a sample, whose rows are all the same. Its tensors are views of the sample's. */
export function firstRow({ inputs, rows }: BatchMember): BatchMember {
  const one = (tensor: Tensor | undefined): Tensor | undefined =>
    tensor && {
      ...tensor,
      shape: [1, ...tensor.shape.slice(1)],
      data: tensor.data.subarray(0, tensor.data.byteLength / rows),
    };
  return { inputs: inputs.map(one), rows: 1 };
}
