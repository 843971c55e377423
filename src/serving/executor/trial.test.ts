import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeModel } from '../../../test/support/fake-lane.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import type { Batch } from '../../core/index.js';
import { createExecutor } from './lane-executor.js';

const MS = 1e6;
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

async function rig(places: readonly ('cpu' | 'cuda')[]) {
  const clock = new FakeClock();
  const placements = places.map((device) => ({ device, deviceId: 0 }));
  const opened = Object.assign(new FakeModel(clock, 1), { placements });
  const instances = [{ device: 'cuda' as const, deviceId: 0, count: places.length }];
  const plan = { spec: modelSpec(), instances, maxExecutionMs: 0 };
  const executor = await createExecutor({ opened, plan, clock, log: new SilentLog() });
  return { clock, executor, opened };
}

describe('executions that are tried', () => {
  it('run once on each device, and tell what they took there', async () => {
    const { clock, executor, opened } = await rig(['cuda', 'cuda', 'cpu']);
    const trials = executor.tryBatch(batch);
    expect(opened.busy.map(({ instance }) => instance)).toEqual([0, 2]);
    for (const lane of [...opened.busy]) {
      clock.advance(5 * MS);
      lane.finish();
    }
    expect(await trials).toEqual([
      { device: 'cuda:0', computeNs: 5 * MS },
      { device: 'cpu:0', computeNs: 10 * MS },
    ]);
    await executor.stop();
  });

  it('reject where the model refuses the batch', async () => {
    const { executor, opened } = await rig(['cpu']);
    const trial = executor.tryBatch(batch);
    opened.busy[0]?.fail();
    await expect(trial).rejects.toThrow();
    await executor.stop();
  });
});

describe('the device of the next execution', () => {
  it('is that of the lowest free instance, named only where there are several', async () => {
    const several = await rig(['cuda', 'cpu']);
    expect(several.executor.nextDevice()).toBe('cuda:0');
    expect(several.executor.execute(batch, () => {}).device).toBe('cuda:0');
    expect(several.executor.nextDevice()).toBe('cpu:0');
    several.executor.execute(batch, () => {});
    expect(several.executor.nextDevice()).toBeUndefined();
    for (const lane of [...several.opened.busy]) lane.finish();
    await several.executor.stop();
    const one = await rig(['cpu', 'cpu']);
    expect(one.executor.nextDevice()).toBeUndefined();
    expect(one.executor.execute(batch, () => {}).device).toBeUndefined();
    for (const lane of [...one.opened.busy]) lane.finish();
    await one.executor.stop();
  });
});
