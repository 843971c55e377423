import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fp32 } from '../../../test/support/specs.js';
import type { Batch } from '../../core/index.js';
import { linearCurve } from '../../core/index.js';
import { sweepCosts, sweepSizes } from './cost-sweep.js';

const MS = 1e6;
const version = { model: 'm', version: 1 };
const member = { inputs: [fp32('x', [1, 2])], rows: 1 };

/** A machine whose executions take what `ms` says; it keeps what was asked of it. */
function machine(ms: (rows: number, attempt: number) => number) {
  const state = { nowNs: 0, batches: [] as number[] };
  const tryBatch = async ({ rows, members }: Batch) => {
    expect(members).toHaveLength(rows);
    const computeNs = ms(rows, state.batches.length) * MS;
    state.batches.push(rows);
    state.nowNs += computeNs;
    return [{ device: undefined, computeNs }];
  };
  const sweep = (maxBatchSize: number, budgetMs: number) =>
    sweepCosts({ tryBatch, version, member, maxBatchSize, budgetNs: budgetMs * MS, nowNs: () => state.nowNs });
  return { state, sweep };
}

describe('the sweep of batch sizes', () => {
  it('takes sizes one by one, then in steps, and the largest', () => {
    expect(sweepSizes(32)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
    expect(sweepSizes(10)).toEqual([1, 2, 3, 4, 6, 8, 10]);
    expect(sweepSizes(1)).toEqual([1]);
    expect(sweepSizes(0)).toEqual([1]);
  });

  it('keeps to the sizes and the length that executions may have', async () => {
    const batches: Batch[] = [];
    const tryBatch = async (batch: Batch) => {
      batches.push(batch);
      return [{ device: undefined, computeNs: MS }];
    };
    const nowNs = () => batches.length * MS;
    await sweepCosts({ tryBatch, version, member, maxBatchSize: 8, sizes: [2, 8], length: 16, budgetNs: 1e9, nowNs });
    expect(new Set(batches.map(({ rows }) => rows))).toEqual(new Set([2, 8]));
    for (const { rows, padded } of batches) expect(padded).toEqual({ rows, length: 16 });
  });

  it('finds the curve, all sizes in turn', async () => {
    const { state, sweep } = machine((rows) => 4 + 0.3 * rows);
    const sizes = (await sweep(32, 10_000)).get(undefined) ?? [];
    expect(sizes.map(({ rows }) => rows)).toEqual(sweepSizes(32));
    for (const { rows, meanNs } of sizes) expect(meanNs / MS).toBeCloseTo(4 + 0.3 * rows, 1);
    expect(state.batches.slice(0, 20)).toEqual([...sweepSizes(32), ...sweepSizes(32)]);
  });

  it('does not count the first run of a size where there are others', async () => {
    const { sweep } = machine((rows, attempt) => (attempt < 10 ? 50 : 4 + rows));
    const sizes = (await sweep(32, 10_000)).get(undefined) ?? [];
    expect((sizes[0]?.meanNs ?? 0) / MS).toBeCloseTo(5, 1);
  });

  it('leaves out sizes far beyond the one that pays', async () => {
    const { state, sweep } = machine((rows) => 10 * rows);
    const sizes = (await sweep(64, 10_000)).get(undefined) ?? [];
    expect(sizes.map(({ rows }) => rows)).toEqual([1, 2, 3, 4]);
    expect(Math.max(...state.batches)).toBe(4);
  });

  it('measures each device by itself', async () => {
    let nowNs = 0;
    const tryBatch = async ({ rows }: Batch) => {
      nowNs += 8 * rows * MS;
      return [
        { device: 'cpu:0', computeNs: 8 * rows * MS },
        { device: 'cuda:0', computeNs: (2 + 0.1 * rows) * MS },
      ];
    };
    const measured = await sweepCosts({
      tryBatch,
      version,
      member,
      maxBatchSize: 4,
      budgetNs: 1e9,
      nowNs: () => nowNs,
    });
    const at = (device: string) => (measured.get(device)?.find(({ rows }) => rows === 4)?.meanNs ?? 0) / MS;
    expect([at('cpu:0'), at('cuda:0')].map(Math.round)).toEqual([32, 2]);
  });

  it('passes on the error of a model that refuses a size', async () => {
    const failing = sweepCosts({
      tryBatch: () => Promise.reject(new Error('no such size')),
      version,
      member,
      maxBatchSize: 4,
      budgetNs: 1e9,
      nowNs: () => 0,
    });
    await expect(failing).rejects.toThrow('no such size');
  });

  it('keeps within its time on any machine that is not slower a row for more rows', async () => {
    const ms = fc.double({ min: 0, max: 200, noNaN: true });
    await fc.assert(
      fc.asyncProperty(ms, ms, fc.integer({ min: 1, max: 128 }), ms, async (a, c, most, budgetMs) => {
        const curve = linearCurve(a + 0.01, c);
        const { state, sweep } = machine((rows) => curve.meanNs(rows) / MS);
        await sweep(most, budgetMs);
        // The very first run is the one that nothing is known of before.
        return state.nowNs <= Math.max(budgetMs * MS, curve.meanNs(1)) * (1 + 1e-9);
      }),
    );
  });
});
