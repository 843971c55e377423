import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { type FakeLane, FakeModel } from '../../../test/support/fake-lane.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import type { Batch, BatchOutcome } from '../../core/index.js';
import { Devices } from './devices.js';
import { createExecutor, type LaneExecutor } from './lane-executor.js';

const MS = 1e6;
const POLICY = { memoryFailures: 2, firstProbeMs: 1_000, maxProbeMs: 4_000 };
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A version with one instance on each of `gpus`, instance i on gpus[i]. */
async function rig(gpus: readonly number[] = [0, 1]) {
  const clock = new FakeClock();
  const log = new SilentLog();
  let changes = 0;
  const devices = new Devices({ clock, log, policy: POLICY, onChange: () => changes++ });
  const model = new FakeModel(clock, 2);
  const instances = gpus.map((deviceId) => ({ device: 'cuda' as const, deviceId, count: 1 }));
  const executor = await createExecutor({
    opened: model,
    plan: { spec: modelSpec(), instances, maxExecutionMs: 0 },
    clock,
    log,
    devices,
  });
  const impaired: (readonly [boolean, string])[] = [];
  executor.onImpaired = (value, why) => impaired.push([value, why]);
  return { clock, devices, model, executor, impaired, changes: () => changes };
}

function start(executor: LaneExecutor): BatchOutcome[] {
  const outcomes: BatchOutcome[] = [];
  executor.execute(batch, (outcome) => outcomes.push(outcome));
  return outcomes;
}

const running = (model: FakeModel): FakeLane => {
  const lane = model.lanes.find((candidate) => candidate.busy);
  if (lane === undefined) throw new Error('nothing runs');
  return lane;
};
const statesOf = (devices: Devices) => Object.fromEntries(devices.statuses().map((one) => [one.device, one.state]));

describe('a device that is lost', () => {
  it('gets no further batch, and the others take them all', async () => {
    const { executor, model, devices, impaired, changes } = await rig();
    const outcomes = start(executor);
    running(model).fail('CUDA failure 700', 'lost');
    expect(outcomes[0]).toMatchObject({ kind: 'failed', deviceFault: 'lost' });
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'lost', 'cuda:1': 'serving' });
    expect([devices.noneFailed, changes()]).toEqual([false, 1]);
    for (let i = 0; i < 5; i++) {
      start(executor);
      expect(running(model).instance).toBe(1);
      running(model).finish();
    }
    await settled();
    expect(executor.laneStates()).toEqual({ quarantined: 2, idle: 2 });
    expect(impaired).toEqual([]);
  });

  it('stays lost, whatever ends on it later and however long one waits', async () => {
    const { executor, model, devices, clock } = await rig([0, 0]);
    start(executor);
    start(executor);
    const [first, second] = model.lanes.filter((lane) => lane.busy);
    first?.fail('gone', 'lost');
    second?.finish();
    await clock.advance(3600_000 * MS);
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'lost' });
    expect(executor.freeSlots()).toBe(0);
    expect(executor.laneStates()).toEqual({ quarantined: 4 });
  });

  it('impairs a version that has no other device, with the reason', async () => {
    const { executor, model, impaired } = await rig([0]);
    start(executor);
    running(model).fail('CUDA failure 719', 'lost');
    expect(impaired).toEqual([[true, 'device cuda:0 has failed: CUDA failure 719']]);
  });

  it('is lost to the versions that did not meet it, too', async () => {
    const { executor, model, devices, clock } = await rig();
    const other = new FakeModel(clock, 2);
    const second = await createExecutor({
      opened: other,
      plan: { spec: modelSpec(), instances: [{ device: 'cuda', deviceId: 0, count: 2 }], maxExecutionMs: 0 },
      clock,
      log: new SilentLog(),
      devices,
    });
    expect(second.freeSlots()).toBe(2);
    start(executor);
    running(model).fail('x', 'lost');
    expect(second.freeSlots()).toBe(0);
    await expect(second.warm({ inputs: [], rows: 1 })).rejects.toMatchObject({
      reason: 'EXECUTOR_LOST',
      message: 'device cuda:0 has failed',
    });
  });

  it('does not touch instances that fell back to the CPU', async () => {
    const { executor, model, devices, clock } = await rig();
    const fallen = Object.assign(new FakeModel(clock, 2), { placements: [{ device: 'cpu' as const, deviceId: 0 }] });
    const second = await createExecutor({
      opened: fallen,
      plan: { spec: modelSpec(), instances: [{ device: 'cuda', deviceId: 0, count: 1 }], maxExecutionMs: 0 },
      clock,
      log: new SilentLog(),
      devices,
    });
    start(executor);
    running(model).fail('x', 'lost');
    expect(second.freeSlots()).toBe(1);
  });
});

describe('a device without memory', () => {
  it('has not failed by one batch too large, nor by several with good ones between', async () => {
    const { executor, model, devices } = await rig([0]);
    for (let i = 0; i < 4; i++) {
      start(executor);
      running(model).fail('no memory', 'memory');
      start(executor);
      running(model).finish();
      await settled();
    }
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'serving' });
    expect(devices.statuses()[0]?.faults).toEqual({ memory: 4, lost: 0 });
  });

  it('has failed by several in a row, and is tried with one execution after a while', async () => {
    const { executor, model, devices, clock, impaired } = await rig([0, 0]);
    for (let i = 0; i < POLICY.memoryFailures; i++) {
      start(executor);
      running(model).fail('no memory', 'memory');
    }
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'failed' });
    expect([executor.freeSlots(), devices.noneFailed, impaired.length]).toEqual([0, false, 1]);

    let offers = 0;
    executor.onSlotFree = () => offers++;
    await clock.advance(POLICY.firstProbeMs * MS);
    await settled();
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'probing' });
    expect([devices.noneFailed, offers > 0, impaired.at(-1)?.[0]]).toEqual([true, true, false]);
    start(executor);
    expect(executor.freeSlots()).toBe(0);
    offers = 0;
    running(model).finish();
    await settled();
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'serving' });
    expect([executor.freeSlots(), offers > 0]).toEqual([2, true]);
    expect(executor.laneStates()).toEqual({ idle: 4 });
  });

  it('that fails its try waits twice as long, up to the most', async () => {
    const { executor, model, devices, clock } = await rig([0]);
    for (let i = 0; i < POLICY.memoryFailures; i++) {
      start(executor);
      running(model).fail('no memory', 'memory');
      await settled();
    }
    for (const waitMs of [1_000, 2_000, 4_000, 4_000]) {
      await clock.advance((waitMs - 1) * MS);
      await settled();
      expect(statesOf(devices)).toEqual({ 'cuda:0': 'failed' });
      await clock.advance(MS);
      await settled();
      expect(statesOf(devices)).toEqual({ 'cuda:0': 'probing' });
      start(executor);
      running(model).fail('no memory', 'memory');
      await settled();
    }
    expect(executor.laneStates()).toEqual({ quarantined: 2 });
  });

  it('is tried again by the next execution where the first said nothing of it', async () => {
    const { executor, model, devices, clock } = await rig([0]);
    for (let i = 0; i < POLICY.memoryFailures; i++) {
      start(executor);
      running(model).fail('no memory', 'memory');
      await settled();
    }
    await clock.advance(POLICY.firstProbeMs * MS);
    await settled();
    start(executor);
    running(model).fail('a bad request');
    await settled();
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'probing' });
    start(executor);
    running(model).finish();
    expect(statesOf(devices)).toEqual({ 'cuda:0': 'serving' });
  });
});

describe('stopping', () => {
  it('ends with every lane stopped while a device is failed', async () => {
    const { executor, model, devices } = await rig([0]);
    start(executor);
    running(model).fail('x', 'lost');
    await executor.stop();
    devices.stop();
    expect(executor.laneStates()).toEqual({ stopped: 2 });
    expect(model.lanes.every((lane) => lane.closed)).toBe(true);
  });
});
