import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32 } from '../../../test/support/specs.js';
import { type Batch, ServingError } from '../../core/index.js';
import { keepBusy } from './busy-instances.js';

const MS = 1e6;
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

describe('instances kept busy', () => {
  it('all work until the time is over, and the last is waited for', async () => {
    const clock = new FakeClock();
    const executor = new FakeExecutor({ clock, slots: 3, serviceNs: () => 10 * MS });
    const stretch = keepBusy(executor, batch, 25 * MS, clock);
    clock.advance(100 * MS);
    const { executionsNs, wallNs } = await stretch;
    expect(executor.mostBusy).toBe(3);
    expect(executionsNs).toEqual(new Array(9).fill(10 * MS));
    expect(wallNs).toBe(30 * MS);
  });

  it('each run at least once, however little time there is', async () => {
    const clock = new FakeClock();
    const executor = new FakeExecutor({ clock, slots: 2, serviceNs: () => 50 * MS });
    const stretch = keepBusy(executor, batch, 0, clock);
    clock.advance(50 * MS);
    expect((await stretch).executionsNs).toEqual([50 * MS, 50 * MS]);
  });

  it('end where slots open only when the time is over', async () => {
    const clock = new FakeClock();
    const executor = new FakeExecutor({ clock, serviceNs: () => 10 * MS });
    const stretch = keepBusy(executor, batch, 15 * MS, clock);
    const offer = executor.onSlotFree;
    let late: (() => void) | undefined;
    executor.onSlotFree = () => {
      late = offer;
    };
    clock.advance(10 * MS);
    clock.advance(10 * MS);
    late?.();
    expect((await stretch).executionsNs).toEqual([10 * MS]);
  });

  it('end with the first error', async () => {
    const clock = new FakeClock();
    const error = new ServingError('BACKEND_FAILED', 'no such size');
    const executor = new FakeExecutor({ clock, slots: 2, serviceNs: () => 10 * MS, compute: () => error });
    const stretch = keepBusy(executor, batch, 1000 * MS, clock);
    clock.advance(100 * MS);
    await expect(stretch).rejects.toBe(error);
    // A slot is offered before the failure is told: one more began by then.
    expect(executor.executions).toHaveLength(3);
  });
});
