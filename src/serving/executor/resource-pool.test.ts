import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeModel } from '../../../test/support/fake-lane.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import type { Batch, InstanceGroup, RateLimiter } from '../../core/index.js';
import { createExecutor, type ResourceBound, ResourcePool } from './index.js';

const MS = 1e6;
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

const needs = (count: number, more: Partial<RateLimiter['resources'][0]> = {}, priority = 1): RateLimiter => ({
  resources: [{ name: 'r', global: false, count, ...more }],
  priority,
});

function shared(bounds: readonly ResourceBound[] = []) {
  const clock = new FakeClock();
  const pool = new ResourcePool(clock, bounds);
  const log = new SilentLog();
  /** A version whose callers never run out of requests once it is `busy`. */
  async function version(rateLimiter: RateLimiter | undefined, instances = 1, group: Partial<InstanceGroup> = {}) {
    const model = new FakeModel(clock);
    const limited = rateLimiter === undefined ? {} : { rateLimiter };
    const groups = [{ device: 'cpu' as const, deviceId: 0, count: instances, ...limited, ...group }];
    const plan = { spec: modelSpec(), instances: groups, maxExecutionMs: 0 };
    const executor = await createExecutor({ opened: model, plan, clock, log, resources: pool });
    const runs = { started: 0 };
    const pull = () => {
      while (executor.freeSlots() > 0) {
        runs.started++;
        executor.execute(batch, () => {});
      }
    };
    const busy = () => {
      executor.onSlotFree = pull;
      pull();
    };
    const finish = () => model.busy[0]?.finish();
    return { executor, model, runs, busy, finish };
  }
  return { clock, pool, version };
}

describe('shared resources', () => {
  it('let only so many instances of all models run at once as there is of what they need', async () => {
    const { version } = shared([{ name: 'r', device: undefined, count: 3 }]);
    const [two, one, free] = [await version(needs(2)), await version(needs(1), 3), await version(undefined, 2)];
    two.busy();
    one.busy();
    free.busy();
    expect([two.model.busy.length, one.model.busy.length, free.model.busy.length]).toEqual([1, 1, 2]);
    expect(one.executor.freeSlots()).toBe(0);
    one.finish();
    expect(two.model.busy.length * 2 + one.model.busy.length).toBe(3);
  });

  it('are as many as the most that an instance needs, where nobody says', async () => {
    const { version } = shared();
    const [a, b] = [await version(needs(2)), await version(needs(1), 3)];
    b.busy();
    a.busy();
    expect([a.model.busy.length, b.model.busy.length]).toEqual([0, 2]);
  });

  it('are counted for each device, or over all where they are global', async () => {
    const { version } = shared([{ name: 'r', device: undefined, count: 1 }]);
    const on = (deviceId: number, global: boolean) => version(needs(1, { global }), 1, { device: 'cuda', deviceId });
    const local = [await on(0, false), await on(1, false)];
    const global = [await on(0, true), await on(1, true)];
    for (const one of [...local, ...global]) one.busy();
    expect(local.map(({ model }) => model.busy.length)).toEqual([1, 1]);
    expect(global.map(({ model }) => model.busy.length)).toEqual([1, 0]);
  });

  it('go to the model that has had the least of the time, by priority', async () => {
    const { clock, version } = shared([{ name: 'r', device: undefined, count: 1 }]);
    const [slow, quick] = [await version(needs(1)), await version(needs(1))];
    const halved = await version(needs(1, {}, 2));
    const timeOf = new Map([
      [slow, 0],
      [quick, 0],
      [halved, 0],
    ]);
    for (const one of [slow, quick, halved]) one.busy();
    for (let i = 0; i < 600; i++) {
      const running = [slow, quick, halved].filter(({ model }) => model.busy.length > 0);
      expect(running).toHaveLength(1);
      const [one] = running as [typeof slow];
      const took = one === slow ? 10 : 2;
      clock.advance(took * MS);
      timeOf.set(one, (timeOf.get(one) as number) + took);
      one.finish();
      // The lane of the run that ended is given back when its outcome was read.
      await Promise.resolve();
    }
    const [a, b, c] = [slow, quick, halved].map((one) => timeOf.get(one) as number) as [number, number, number];
    // One waiter at least stands by whenever a run ends, so time is shared as priorities say.
    expect(a / b).toBeGreaterThan(0.8);
    expect(a / b).toBeLessThan(1.25);
    expect(b / c).toBeGreaterThan(1.6);
    expect(b / c).toBeLessThan(2.4);
  });

  it('come back when an instance is gone, and do not keep a version from warming up', async () => {
    const { version } = shared([{ name: 'r', device: undefined, count: 1 }]);
    const [first, second] = [await version(needs(1)), await version(needs(1))];
    first.busy();
    const warmed = second.executor.warm(batch.members[0]!);
    expect(second.model.busy).toHaveLength(1);
    second.finish();
    await warmed;
    second.busy();
    expect(second.model.busy).toHaveLength(0);
    first.executor.onSlotFree = () => {};
    const stopped = first.executor.stop();
    first.finish();
    await stopped;
    expect(second.model.busy).toHaveLength(1);
  });

  it('refuse a model that needs more than there is', async () => {
    const { version } = shared([{ name: 'r', device: undefined, count: 1 }]);
    await expect(version(needs(2))).rejects.toThrow("an instance needs 2 of 'r', 1 of it is there");
  });
});
