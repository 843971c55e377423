import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeModel } from '../../../test/support/fake-lane.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import type { Batch, InstanceGroup } from '../../core/index.js';
import { DeviceTurns, type Party } from './device-turns.js';
import { createExecutor, DeviceShares } from './index.js';

const MS = 1e6;
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

function device(places: number) {
  const clock = new FakeClock();
  const shares = new DeviceShares(clock, () => places);
  /** A version whose callers have `requests` waiting. */
  async function version(deviceWeight: number, instances = 1, on: Partial<InstanceGroup> = {}) {
    const model = new FakeModel(clock);
    const groups = [{ device: 'cpu' as const, deviceId: 0, count: instances, ...on }];
    const plan = { spec: modelSpec(), instances: groups, maxExecutionMs: 0, deviceWeight };
    const executor = await createExecutor({ opened: model, plan, clock, log: new SilentLog(), shares });
    const own = { executor, model, requests: 0, ranMs: 0, pull };
    function pull(): void {
      while (own.requests > 0 && executor.freeSlots() > 0) {
        own.requests--;
        executor.execute(batch, () => {});
      }
    }
    executor.onSlotFree = pull;
    return own;
  }
  type Version = Awaited<ReturnType<typeof version>>;
  const running = (versions: readonly Version[]) => versions.filter(({ model }) => model.busy.length > 0);
  /** Runs what is running for `ms` and ends the first of it. */
  async function step(versions: readonly Version[], msOf: (one: Version) => number) {
    const [one] = running(versions);
    if (one === undefined) throw new Error('nothing runs');
    clock.advance(msOf(one) * MS);
    for (const each of versions) each.ranMs += each.model.busy.length * msOf(one);
    one.model.busy[0]?.finish();
    // A lane is given back when the outcome of its run was read.
    await Promise.resolve();
  }
  return { clock, version, step, running };
}

describe('models that share a device', () => {
  it('have its time by their weights, whatever their executions take', async () => {
    const { version, step } = device(1);
    const [a, b, c] = [await version(3), await version(1), await version(2)];
    for (const one of [a, b, c]) one.requests = 10_000;
    for (const one of [a, b, c]) one.pull();
    for (let i = 0; i < 900; i++) await step([a, b, c], (one) => (one === a ? 10 : one === b ? 1 : 3));
    const all = a.ranMs + b.ranMs + c.ranMs;
    expect(a.ranMs / all).toBeCloseTo(3 / 6, 1);
    expect(b.ranMs / all).toBeCloseTo(1 / 6, 1);
    expect(c.ranMs / all).toBeCloseTo(2 / 6, 1);
  });

  it('keep no place free while one of them has something to run', async () => {
    const { version, step, running } = device(2);
    const [heavy, light] = [await version(100, 3), await version(1, 3)];
    light.requests = 50;
    light.pull();
    expect(light.model.busy).toHaveLength(2);
    for (let i = 0; i < 48; i++) {
      await step([heavy, light], () => 1);
      expect(light.model.busy).toHaveLength(2);
    }
    heavy.requests = 3;
    heavy.pull();
    expect(heavy.model.busy).toHaveLength(0);
    await step([light], () => 1);
    expect([heavy.model.busy.length, light.model.busy.length]).toEqual([1, 1]);
    expect(running([heavy, light])).toHaveLength(2);
  });

  it('gather no claim while they have nothing to run', async () => {
    const { version, step } = device(1);
    const [busy, late] = [await version(1), await version(1)];
    busy.requests = 1000;
    busy.pull();
    for (let i = 0; i < 100; i++) await step([busy], () => 10);
    late.requests = 1000;
    late.pull();
    const before = busy.ranMs;
    for (let i = 0; i < 40; i++) await step([busy, late], () => 10);
    expect(busy.ranMs - before).toBeGreaterThan(180);
    expect(late.ranMs).toBeGreaterThan(180);
  });

  it('do not meet on other devices', async () => {
    const { version } = device(1);
    const versions = [
      await version(1, 1, { device: 'cuda', deviceId: 0 }),
      await version(1, 1, { device: 'cuda', deviceId: 1 }),
    ];
    for (const one of versions) {
      one.requests = 1;
      one.pull();
    }
    expect(versions.map(({ model }) => model.busy.length)).toEqual([1, 1]);
  });

  it('leave their place to the others when they are unloaded', async () => {
    const { version } = device(1);
    const [gone, next] = [await version(1), await version(1)];
    for (const one of [gone, next]) {
      one.requests = 1;
      one.pull();
    }
    expect(next.model.busy).toHaveLength(0);
    const stopped = gone.executor.stop();
    gone.model.busy[0]?.finish();
    await stopped;
    expect(next.model.busy).toHaveLength(1);
  });
});

describe('whose turn it is', () => {
  it('is at any time within one execution of the weights, over random executions', () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seeded(seed);
      const turns = new DeviceTurns(1);
      const parties = Array.from({ length: 2 + Math.floor(random() * 4) }, () =>
        turns.join(1 + Math.floor(random() * 5)),
      );
      const servedNs = new Map<Party, number>(parties.map((party) => [party, 0]));
      const longestNs = 1 + random() * 9;
      for (let i = 0; i < 200; i++) {
        for (const party of parties) party.wants = true;
        const next = turns.next(parties) as Party;
        const charge = turns.take(next);
        const tookNs = 1 + random() * (longestNs - 1);
        turns.give(charge, tookNs);
        servedNs.set(next, (servedNs.get(next) as number) + tookNs);
      }
      for (const a of parties)
        for (const b of parties) {
          const [forA, forB] = [(servedNs.get(a) as number) / a.weight, (servedNs.get(b) as number) / b.weight];
          if (Math.abs(forA - forB) > longestNs / a.weight + longestNs / b.weight)
            expect.fail(`seed ${seed}: ${forA} and ${forB} by weight`);
        }
    }
  });
});
