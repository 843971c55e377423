import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeModel } from '../../../test/support/fake-lane.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import type { Batch, BatchOutcome } from '../../core/index.js';
import { createExecutor, type LaneExecutor } from './lane-executor.js';
import { decideRecovery } from './recovery.js';

const MS = 1e6;
const RECOVERY = { firstBackoffMs: 100, maxBackoffMs: 1_000, quarantineAfter: 3, quarantineMs: 60_000 };
const batch: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

/** Lets promises settle: restarts of lanes are asynchronous, whatever the clock. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function rig(options: { instances?: number; lanes?: number; maxExecutionMs?: number } = {}) {
  const { instances = 1, lanes = 2, maxExecutionMs = 0 } = options;
  const clock = new FakeClock();
  const log = new SilentLog();
  const model = new FakeModel(clock, lanes);
  const groups = [{ device: 'cpu' as const, deviceId: 0, count: instances }];
  const plan = { spec: modelSpec(), instances: groups, maxExecutionMs };
  const executor = await createExecutor({ opened: model, plan, clock, log, recovery: RECOVERY });
  const impaired: boolean[] = [];
  executor.onImpaired = (value) => impaired.push(value);
  return { clock, log, model, executor, impaired };
}

function start(executor: LaneExecutor) {
  const outcomes: BatchOutcome[] = [];
  const handle = executor.execute(batch, (outcome) => outcomes.push(outcome));
  return { outcomes, handle };
}

const reasonOf = (outcome: BatchOutcome | undefined) =>
  outcome?.kind === 'failed' ? outcome.error.reason : outcome?.kind;

describe('executor', () => {
  it('offers one slot an instance, whatever the number of lanes', async () => {
    const { executor } = await rig({ instances: 3 });
    expect(executor.freeSlots()).toBe(3);
    expect(executor.laneStates()).toEqual({ idle: 6 });
    start(executor);
    start(executor);
    start(executor);
    expect(executor.freeSlots()).toBe(0);
    expect(() => start(executor)).toThrow('no slot is free');
  });

  it('opens slots whose runs would hold the thread when the turn ends, once for all that asked', async () => {
    const { executor, model } = await rig();
    const offers: number[] = [];
    executor.onSlotFree = () => offers.push(executor.freeSlots());
    for (const lane of model.lanes) lane.holdsThread = true;
    expect([executor.freeSlots(), executor.freeSlots()]).toEqual([0, 0]);
    expect(offers).toEqual([]);
    await settled();
    expect(offers).toEqual([1]);
    for (const lane of model.lanes) lane.holdsThread = false;
    expect(executor.freeSlots()).toBe(1);
  });

  it('starts the next batch on the other lane before it settles the finished one', async () => {
    const { executor, model } = await rig();
    const order: string[] = [];
    let queued = 1;
    executor.onSlotFree = () => {
      if (queued-- > 0) {
        order.push('second started');
        executor.execute(batch, () => order.push('second settled'));
      }
    };
    executor.execute(batch, () => {
      order.push('first settled');
      expect(executor.laneStates()).toEqual({ busy: 2 });
      expect(executor.freeSlots()).toBe(0);
    });
    const [first, second] = model.lanes;
    first?.finish();
    expect(order).toEqual(['second started', 'first settled']);
    expect(executor.laneStates()).toEqual({ idle: 1, busy: 1 });
    second?.finish();
    expect(order).toEqual(['second started', 'first settled', 'second settled']);
  });

  it('with one lane an instance offers the slot after the outcome was read', async () => {
    const { executor, model } = await rig({ lanes: 1 });
    const order: string[] = [];
    executor.onSlotFree = () => order.push(`offered ${executor.freeSlots()}`);
    executor.execute(batch, () => order.push('settled'));
    model.lanes[0]?.finish();
    await settled();
    expect(order).toEqual(['settled', 'offered 1']);
  });

  it('passes a cancel to the run in flight and to no later one', async () => {
    const { executor, model } = await rig();
    const first = start(executor);
    first.handle.cancel();
    expect(model.lanes[0]?.cancels).toBe(1);
    model.lanes[0]?.fail();
    expect(reasonOf(first.outcomes[0])).toBe('BACKEND_FAILED');
    start(executor);
    first.handle.cancel();
    expect(model.lanes[0]?.cancels).toBe(1);
    expect(model.lanes[1]?.cancels).toBe(0);
  });

  it('settles a batch whose lane throws, after execute returned', async () => {
    const { executor, model } = await rig();
    const [lane] = model.lanes;
    if (lane !== undefined) {
      lane.run = () => {
        throw new Error('a bug');
      };
    }
    const { outcomes } = start(executor);
    expect(outcomes).toEqual([]);
    await settled();
    expect(outcomes.map(reasonOf)).toEqual(['INTERNAL']);
    expect(executor.freeSlots()).toBe(1);
  });

  it('goes on after a listener or a settle callback threw', async () => {
    const { executor, model, log } = await rig();
    executor.onSlotFree = () => {
      throw new Error('listener');
    };
    executor.execute(batch, () => {
      throw new Error('settle');
    });
    model.lanes[0]?.finish();
    expect(executor.laneStates()).toEqual({ idle: 2 });
    expect(log.lines.map((line) => line.message)).toEqual([
      'the listener for free slots threw',
      'a settle callback threw',
    ]);
  });

  it('refuses to open when a lane cannot be created, and closes the others', async () => {
    const clock = new FakeClock();
    const model = new FakeModel(clock);
    const plan = {
      spec: modelSpec(),
      instances: [{ device: 'cpu' as const, deviceId: 0, count: 2 }],
      maxExecutionMs: 0,
    };
    const create = model.createLane.bind(model);
    model.createLane = async (spec, instance) => {
      if (instance === 1 && model.lanes.length === 3) throw new Error('no memory');
      return create(spec, instance);
    };
    await expect(createExecutor({ opened: model, plan, clock, log: new SilentLog() })).rejects.toThrow('no memory');
    expect(model.lanes.length).toBe(3);
    await model.close();
  });
});

describe('a run past its limit', () => {
  it('is settled at once, told to stop, and holds its instance until it ends', async () => {
    const { executor, model, clock, impaired } = await rig({ maxExecutionMs: 50 });
    const { outcomes } = start(executor);
    clock.advance(49 * MS);
    expect(outcomes).toEqual([]);
    clock.advance(1 * MS);
    expect(outcomes.map(reasonOf)).toEqual(['EXECUTOR_LOST']);
    expect(model.lanes[0]?.cancels).toBe(1);
    expect(executor.laneStates()).toEqual({ failed: 1, idle: 1 });
    expect(executor.freeSlots()).toBe(0);
    expect(impaired).toEqual([true]);

    let offered = 0;
    executor.onSlotFree = () => offered++;
    model.lanes[0]?.finish();
    expect(outcomes.length).toBe(1);
    expect(offered).toBe(1);
    expect(impaired).toEqual([true, false]);
    expect(executor.laneStates()).toEqual({ 'backing-off': 1, idle: 1 });
    clock.advance(100 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ idle: 2 });
    expect(model.lanes.length).toBe(2);
  });

  it('keeps its lane out until the run ends, also when a sibling breaks meanwhile', async () => {
    const { executor, model, clock } = await rig({ maxExecutionMs: 50 });
    start(executor);
    clock.advance(50 * MS);
    model.lanes[1]?.die();
    expect(executor.laneStates()).toEqual({ failed: 1, 'backing-off': 1 });
    clock.advance(100 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ failed: 1, idle: 1 });
    model.lanes[0]?.finish();
    expect(executor.laneStates()).toEqual({ 'backing-off': 1, idle: 1 });
  });

  it('does not touch the run that came after one that ended in time', async () => {
    const { executor, model, clock } = await rig({ maxExecutionMs: 50 });
    const first = start(executor);
    clock.advance(40 * MS);
    model.lanes[0]?.finish();
    const second = start(executor);
    clock.advance(40 * MS);
    expect([...first.outcomes, ...second.outcomes].map(reasonOf)).toEqual(['done']);
    clock.advance(10 * MS);
    expect(second.outcomes.map(reasonOf)).toEqual(['EXECUTOR_LOST']);
  });

  it('leaves no timer behind after stop', async () => {
    const { executor, model, clock } = await rig({ maxExecutionMs: 50 });
    start(executor);
    model.lanes[0]?.finish();
    await executor.stop();
    expect(clock.timers).toBe(0);
  });
});

describe('a lane that breaks', () => {
  it('is replaced with its siblings after a backoff that grows, then quarantined, then tried again', async () => {
    const { executor, model, clock, impaired } = await rig();
    const { outcomes } = start(executor);
    const [a, b] = model.lanes;
    if (a === undefined || b === undefined) throw new Error('no lanes');
    a.die([b]);
    expect(outcomes.map(reasonOf)).toEqual(['EXECUTOR_LOST']);
    expect(executor.laneStates()).toEqual({ 'backing-off': 2 });
    expect(impaired).toEqual([true]);

    model.startError = new Error('still broken');
    clock.advance(100 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ 'backing-off': 2 });
    clock.advance(199 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ 'backing-off': 2 });
    clock.advance(1 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ quarantined: 2 });
    expect(impaired).toEqual([true]);

    model.startError = undefined;
    let offered = 0;
    executor.onSlotFree = () => offered++;
    clock.advance(60_000 * MS);
    await settled();
    expect(executor.laneStates()).toEqual({ idle: 2 });
    expect(impaired).toEqual([true, false]);
    expect(offered).toBeGreaterThan(0);
    expect(a.closed && b.closed).toBe(true);
  });

  it('is replaced when it dies idle, without a request to notice it', async () => {
    const { executor, model, clock, impaired } = await rig();
    const [a, b] = model.lanes;
    a?.die(b === undefined ? [] : [b]);
    expect(executor.freeSlots()).toBe(0);
    expect(impaired).toEqual([true]);
    clock.advance(100 * MS);
    await settled();
    expect(executor.freeSlots()).toBe(1);
    expect(impaired).toEqual([true, false]);
  });

  it('does not stop its sibling that can run, nor other instances', async () => {
    const { executor, model, impaired } = await rig({ instances: 2 });
    start(executor);
    model.lanes.find((lane) => lane.busy)?.die();
    expect(executor.freeSlots()).toBe(2);
    expect(executor.laneStates()).toEqual({ 'backing-off': 1, idle: 3 });
    expect(impaired).toEqual([]);
  });

  it('counts failures in a row: a run that ends resets them', () => {
    expect([1, 2, 3, 4].map((n) => decideRecovery(n, { ...RECOVERY, quarantineAfter: 9 }).delayMs)).toEqual([
      100, 200, 400, 800,
    ]);
    expect(decideRecovery(5, { ...RECOVERY, quarantineAfter: 9 })).toEqual({ state: 'backing-off', delayMs: 1_000 });
    expect(decideRecovery(3, RECOVERY)).toEqual({ state: 'quarantined', delayMs: 60_000 });
  });
});

describe('warm-up', () => {
  it('runs once on every instance and rejects with the error of one', async () => {
    const { executor, model } = await rig({ instances: 2 });
    const member = { inputs: [fp32('x', [2, 2])], rows: 2 };
    const good = executor.warm(member);
    expect(model.busy.map((lane) => lane.instance).sort()).toEqual([0, 1]);
    expect(model.busy.every((lane) => lane.run_?.batch.rows === 2)).toBe(true);
    for (const lane of model.busy) lane.finish();
    await good;
    const bad = executor.warm(member);
    const [first, second] = model.busy;
    first?.finish();
    second?.fail('no kernel');
    await expect(bad).rejects.toThrow('no kernel');
  });
});

describe('stop', () => {
  it('waits for the runs in flight, then closes every lane', async () => {
    const { executor, model } = await rig({ instances: 2 });
    const { outcomes } = start(executor);
    const stop = executor.stop();
    expect(executor.freeSlots()).toBe(0);
    await settled();
    expect(model.lanes.filter((lane) => lane.closed).length).toBe(2);
    model.busy[0]?.finish();
    await stop;
    expect(outcomes.map(reasonOf)).toEqual(['done']);
    expect(executor.laneStates()).toEqual({ stopped: 4 });
    await model.close();
  });

  it('waits for a lane that starts, and closes it', async () => {
    const { executor, model, clock } = await rig();
    const [a, b] = model.lanes;
    a?.die(b === undefined ? [] : [b]);
    let open = () => {};
    model.startGate = new Promise((resolve) => {
      open = resolve;
    });
    clock.advance(100 * MS);
    expect(executor.laneStates()).toEqual({ starting: 2 });
    const stop = executor.stop();
    open();
    await stop;
    expect(executor.laneStates()).toEqual({ stopped: 2 });
    await model.close();
    expect(clock.timers).toBe(0);
  });
});

describe('any schedule', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'arrive' as const }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('finish' as const), pick: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const), pick: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), pick: fc.nat(50), both: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('die-idle' as const), pick: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(50) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('starts-fail' as const), on: fc.boolean() }) },
  );

  it('settles every batch once, with one execution an instance and no lane used twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
        fc.boolean(),
        async (steps, instances, lanes, limited) => {
          const { executor, model, clock, log } = await rig({ instances, lanes, maxExecutionMs: limited ? 100 : 0 });
          let queued = 0;
          let started = 0;
          let breaches = 0;
          const settles = new Map<number, number>();
          const handles: { cancel(): void }[] = [];
          const pull = () => {
            while (queued > 0 && executor.freeSlots() > 0) {
              queued--;
              const id = started++;
              settles.set(id, 0);
              let returned = false;
              const handle = executor.execute(batch, (outcome) => {
                if (!returned || reasonOf(outcome) === 'INTERNAL') breaches++;
                settles.set(id, (settles.get(id) ?? 0) + 1);
              });
              returned = true;
              handles.push(handle);
            }
          };
          executor.onSlotFree = pull;
          for (const s of steps) {
            const busy = model.busy;
            const lane = 'pick' in s && busy.length > 0 ? busy[s.pick % busy.length] : undefined;
            const siblings = (l: { instance: number }) =>
              model.alive.filter((o) => o !== l && o.instance === l.instance);
            if (s.kind === 'arrive') {
              queued++;
              pull();
            } else if (s.kind === 'finish') lane?.finish();
            else if (s.kind === 'fail') lane?.fail();
            else if (s.kind === 'die' && lane !== undefined) lane.die(s.both ? siblings(lane) : []);
            else if (s.kind === 'die-idle') {
              const idle = model.alive.filter((l) => !l.busy);
              idle[s.pick % Math.max(1, idle.length)]?.die();
            } else if (s.kind === 'cancel') handles[s.pick % Math.max(1, handles.length)]?.cancel();
            else if (s.kind === 'pass') clock.advance(s.ms * MS);
            else if (s.kind === 'starts-fail') model.startError = s.on ? new Error('no start') : undefined;
            await settled();
            const perInstance = new Map<number, number>();
            for (const l of model.busy) perInstance.set(l.instance, (perInstance.get(l.instance) ?? 0) + 1);
            for (const count of perInstance.values()) expect(count).toBe(1);
            expect(model.busy.length + executor.freeSlots()).toBeLessThanOrEqual(instances);
          }
          const stop = executor.stop();
          await settled();
          for (const lane of model.busy) lane.finish();
          await stop;
          expect(breaches).toBe(0);
          expect([...settles.values()].every((count) => count === 1)).toBe(true);
          expect(executor.laneStates()).toEqual({ stopped: instances * lanes });
          expect(model.lanes.every((lane) => lane.closed)).toBe(true);
          expect(clock.timers).toBe(0);
          expect(log.lines.filter((line) => /twice|threw|did not close/.test(line.message))).toEqual([]);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
