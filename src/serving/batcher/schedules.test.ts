import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { type Random, seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy } from '../../../test/support/specs.js';
import {
  type Batch,
  type BatchPolicy,
  type Clock,
  NO_DEADLINE,
  type QueuePolicy,
  ServingError,
  serialiseBytes,
  type Tensor,
} from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

/** Schedules run by one test; the whole number is spread over a few so that a failure names a range of seeds. */
const SCHEDULES = 10_000;
const PARTS = 4;
const US = 1000;

describe('ten thousand random schedules', () => {
  for (let part = 0; part < PARTS; part++) {
    it(`lose nothing, mix nothing and stay within bounds (part ${part + 1})`, { timeout: 120_000 }, async () => {
      let outcomes = 0;
      for (let i = 0; i < SCHEDULES / PARTS; i++) {
        const { trace, drained } = run(part * 1_000_000 + i);
        outcomes += trace.length;
        await drained;
      }
      // A generator that makes no requests would pass everything else.
      expect(outcomes).toBeGreaterThan((SCHEDULES / PARTS) * 10);
    });
  }

  it('are the same again from the same seed', () => {
    for (let seed = 0; seed < 200; seed++) expect(run(seed).trace).toEqual(run(seed).trace);
  });

  it('reach every kind of outcome', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed++) for (const line of run(seed).trace) seen.add(line.split(' ')[1] as string);
    const kinds = ['done', 'BACKEND_FAILED', 'CLIENT_CANCELLED', 'DEADLINE_EXCEEDED', 'DRAINING', 'QUEUE_FULL'];
    expect([...seen].sort()).toEqual([...kinds, 'OUTPUT_SHAPE_MISMATCH'].sort());
  });
});

interface Tracked {
  readonly id: number;
  readonly item: QueueItem;
  readonly level: number;
  readonly expiresNs: number;
  readonly input: Tensor;
  /** `again`: its batch failed by the backend, and is run in halves. */
  state: 'waiting' | 'running' | 'again' | 'settled';
  settledNs: number;
  cancelledByUs: boolean;
}

/** Runs one schedule and checks it all along; `drained` resolves when the batcher said that it is empty. */
function run(seed: number): { trace: string[]; drained: Promise<void> } {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[upTo(values.length)] as T;

  const clock = new FakeClock();
  const counted = countTimers(clock);
  const batching = randomPolicy(random, upTo, oneOf);
  const slots = 1 + upTo(3);
  const maxQueueSize = oneOf([2, 5, 1000]);
  const bytes = random() < 0.3;
  const faults = random() < 0.4 ? 0.2 : 0;
  const meanServiceUs = oneOf([20, 200, 1000]);
  const trace: string[] = [];
  const tracked = new Map<QueueItem, Tracked>();
  const byMember = new Map<unknown, Tracked>();
  const released: number[] = [];
  let draining = false;
  let gaveUp = false;

  const executor = new FakeExecutor({
    clock,
    slots,
    serviceNs: () => 1 + upTo(2 * meanServiceUs * US),
    compute: (batch) => {
      if (random() < faults) {
        if (random() < 0.5 || batching.maxBatchSize === 0) {
          for (const member of batch.members) {
            const one = byMember.get(member) as Tracked;
            if (one.state === 'running') one.state = 'again';
          }
          return new ServingError('BACKEND_FAILED', 'injected');
        }
        return [{ ...answer(batch, bytes), shape: [batch.rows + 1, 1] }];
      }
      return [answer(batch, bytes)];
    },
    ...(random() < 0.5 ? { cancelNs: 5 * US } : {}),
  });
  const execute = executor.execute.bind(executor);
  executor.execute = (batch, settle) => {
    checkBatch(batch);
    return execute(batch, settle);
  };
  const metrics = {
    succeeded() {},
    failed() {},
    executed: (rows: number) => assert.ok(rows > 0),
    setQueueDepth: (depth: number) => assert.ok(depth <= maxQueueSize),
  };
  const spec = modelSpec({ maxBatchSize: batching.maxBatchSize, batching });
  const batcher = new Batcher({ spec, executor, clock: counted, metrics, maxQueueSize });

  /** In the line. An error may be held back for the order of replies: then its request has left the line already. */
  function waits(one: Tracked): boolean {
    const now = clock.nowNs();
    const expired = one.expiresNs <= now && batching.defaultQueuePolicy.timeoutAction === 'REJECT';
    return one.state === 'waiting' && one.item.deadlineNs > now && !expired;
  }

  /** The order of service, told a second time: level, then those not yet delayed, then arrival. */
  function head(): Tracked | undefined {
    let first: Tracked | undefined;
    for (const one of tracked.values()) {
      if (waits(one) && (first === undefined || before(one, first))) first = one;
    }
    return first;
  }
  function before(a: Tracked, b: Tracked): boolean {
    if (a.level !== b.level) return a.level < b.level;
    const aDelayed = a.expiresNs <= clock.nowNs();
    const bDelayed = b.expiresNs <= clock.nowNs();
    if (aDelayed !== bDelayed) return bDelayed;
    if (aDelayed && a.expiresNs !== b.expiresNs) return a.expiresNs < b.expiresNs;
    return a.id < b.id;
  }

  function checkBatch(batch: Batch): void {
    const members = batch.members.map((member) => byMember.get(member) as Tracked);
    const most = batching.maxBatchSize === 0 ? 1 : batching.maxBatchSize;
    assert.ok(batch.rows <= most);
    assert.equal(
      batch.rows,
      members.reduce((rows, one) => rows + one.item.member.rows, 0),
    );
    if (!batching.dynamic) assert.equal(members.length, 1);
    if (members[0]?.state === 'again') {
      for (const one of members) {
        assert.equal(one.state, 'again');
        assert.ok(one.item.deadlineNs > clock.nowNs());
        one.state = 'running';
      }
      return;
    }
    const next = head() as Tracked;
    // The head of the line is always taken, so nobody starves; two delayed at one instant may change places.
    const tied = (one: Tracked) => one === next || (one.level === next.level && one.expiresNs === next.expiresNs);
    assert.ok(members.some(tied));
    for (const one of members) {
      assert.equal(one.state, 'waiting');
      assert.equal(one.item.key, members[0]?.item.key);
      assert.ok(one.expiresNs > clock.nowNs() || batching.defaultQueuePolicy.timeoutAction === 'DELAY');
      assert.ok(one.item.deadlineNs > clock.nowNs());
    }
    for (const one of members) one.state = 'running';
  }

  /** Whatever just happened: the bounds hold, and a slot is idle only where the delay says so. */
  function check(): void {
    const waiting = [...tracked.values()].filter(waits);
    assert.equal(batcher.depth, waiting.length);
    assert.ok(waiting.length <= maxQueueSize);
    assert.ok(counted.live() <= 1);
    const first = head();
    if (first === undefined || executor.freeSlots() === 0) return;
    assert.equal(draining, false);
    assert.ok(clock.nowNs() < first.item.enqueuedNs + batching.maxQueueDelayUs * US);
    const rows = waiting
      .filter((one) => one.item.key === first.item.key)
      .reduce((n, one) => n + one.item.member.rows, 0);
    assert.ok(rows < batching.maxBatchSize);
  }

  function settle(one: Tracked, outcome: MemberOutcome): void {
    assert.notEqual(one.state, 'settled');
    const wasRunning = one.state === 'running' || one.state === 'again';
    one.state = 'settled';
    one.settledNs = clock.nowNs();
    const what = outcome.kind === 'done' ? 'done' : outcome.error.reason;
    trace.push(`${one.id} ${what} ${clock.nowNs()}`);
    if (what !== 'CLIENT_CANCELLED' && !gaveUp) released.push(one.id);
    assert.equal(what === 'CLIENT_CANCELLED', one.cancelledByUs);
    if (outcome.kind === 'done') {
      assert.ok(wasRunning);
      assert.deepEqual(outcome.outputs[0]?.shape, one.input.shape);
      assert.deepEqual(outcome.outputs[0]?.data, one.input.data);
    }
    if (!batching.preserveOrdering) assert.ok(clock.nowNs() <= one.item.deadlineNs);
    // A settled item may enqueue and cancel at once: the batcher is called within itself.
    if (random() < 0.05) arrive();
    if (random() < 0.05) {
      const others = [...tracked.values()].filter((other) => other.state !== 'settled');
      if (others.length > 0) cancel(oneOf(others));
    }
  }

  function cancel(one: Tracked): void {
    one.cancelledByUs = true;
    batcher.cancel(one.item);
    assert.equal(one.state, 'settled');
    batcher.cancel(one.item);
  }

  let nextId = 0;
  function arrive(): void {
    const id = nextId++;
    const rows = batching.maxBatchSize === 0 ? 1 : 1 + (random() < 0.7 ? 0 : upTo(batching.maxBatchSize));
    const level = batching.priorityLevels === 0 ? 0 : 1 + upTo(batching.priorityLevels);
    const limits = batching.priorityQueuePolicies.get(level) ?? batching.defaultQueuePolicy;
    const now = clock.nowNs();
    const deadlineNs = random() < 0.2 ? now + 1 + upTo(1500 * US) : NO_DEADLINE;
    const input = tensorOf(id, rows, bytes);
    const one: Tracked = {
      id,
      level,
      input,
      expiresNs: limits.defaultTimeoutUs > 0 ? now + limits.defaultTimeoutUs * US : NO_DEADLINE,
      item: {
        member: { inputs: [input], rows },
        key: oneOf(batching.maxBatchSize === 4 ? ['', 'b', 'c'] : ['']),
        priority: level,
        timeoutUs: 0,
        deadlineNs,
        enqueuedNs: now,
        settle: (outcome) => settle(one, outcome),
      },
      state: 'waiting',
      settledNs: -1,
      cancelledByUs: false,
    };
    tracked.set(one.item, one);
    byMember.set(one.item.member, one);
    try {
      batcher.enqueue(one.item);
    } catch (thrown) {
      assert.ok(thrown instanceof ServingError);
      const { reason } = thrown as ServingError;
      assert.equal(one.state, 'waiting');
      if (reason === 'DRAINING') assert.ok(draining);
      trace.push(`${id} ${reason} ${now}`);
      tracked.delete(one.item);
    }
    if (random() < 0.1) {
      clock.setTimer(now + upTo(1000 * US), () => {
        if (one.state === 'settled' || !tracked.has(one.item)) return;
        cancel(one);
        check();
      });
    }
  }

  const requests = 10 + upTo(40);
  const gapUs = oneOf([1, 30, 300]);
  let atNs = 0;
  for (let i = 0; i < requests; i++) {
    if (random() < 0.8) atNs += upTo(2 * gapUs * US);
    clock.setTimer(atNs, () => {
      arrive();
      check();
    });
  }
  let drained: Promise<void> | undefined;
  const drainMs = random() < 0.3 ? 0.3 : 60_000;
  clock.setTimer(atNs + 50 * US, () => {
    draining = true;
    if (drainMs < 1) gaveUp = true;
    drained = batcher.drain(drainMs);
    check();
  });
  const settled = () => draining && [...tracked.values()].every((one) => one.state === 'settled');
  clock.runUntil(() => {
    if (nextId > 0) check();
    return settled() && executor.busy === 0 && nextId >= requests;
  });

  assert.ok(executor.mostBusy <= slots);
  assert.equal(counted.live(), 0);
  if (batching.preserveOrdering && !gaveUp)
    assert.deepEqual(
      released,
      [...released].sort((a, b) => a - b),
    );
  for (const execution of executor.executions) {
    if (!execution.cancelled) continue;
    for (const member of execution.batch.members) assert.equal(byMember.get(member)?.state, 'settled');
  }
  assert.ok(drained);
  return { trace, drained };
}

function randomPolicy(random: Random, upTo: (n: number) => number, oneOf: <T>(v: readonly T[]) => T): BatchPolicy {
  const maxBatchSize = oneOf([0, 1, 4, 8]);
  const queuePolicy = (): QueuePolicy => ({
    timeoutAction: oneOf(['REJECT', 'DELAY']),
    defaultTimeoutUs: random() < 0.4 ? 1 + upTo(500) : 0,
    allowTimeoutOverride: random() < 0.5,
    maxQueueSize: 0,
  });
  const defaultQueuePolicy = queuePolicy();
  const priorityLevels = random() < 0.4 ? 3 : 0;
  return policy({
    dynamic: maxBatchSize > 0 && random() < 0.9,
    maxBatchSize,
    preferredBatchSizes: maxBatchSize === 8 && random() < 0.5 ? oneOf([[4], [2, 6], [8]]) : [],
    maxQueueDelayUs: random() < 0.5 ? 1 + upTo(300) : 0,
    preserveOrdering: random() < 0.3,
    priorityLevels,
    defaultPriorityLevel: priorityLevels === 0 ? 0 : 2,
    defaultQueuePolicy,
    priorityQueuePolicies:
      priorityLevels === 0
        ? new Map()
        : new Map([[1, { ...queuePolicy(), timeoutAction: defaultQueuePolicy.timeoutAction }]]),
  });
}

function tensorOf(id: number, rows: number, bytes: boolean): Tensor {
  if (!bytes) {
    const data = new Uint8Array(Int32Array.from({ length: rows * 2 }, (_, i) => id * 1000 + i).buffer);
    return { name: 'x', dataType: 'INT32', shape: [rows, 2], data };
  }
  const text = new TextEncoder();
  const elements = Array.from({ length: rows }, (_, i) => text.encode(`${id}-${'x'.repeat((id + i) % 7)}`));
  return { name: 'x', dataType: 'BYTES', shape: [rows, 1], data: serialiseBytes(elements) };
}

function answer(batch: Batch, bytes: boolean): Tensor {
  const inputs = batch.members.map((member) => member.inputs[0] as Tensor);
  const data = Uint8Array.from(inputs.flatMap((input) => [...input.data]));
  return { name: 'y', dataType: bytes ? 'BYTES' : 'INT32', shape: [batch.rows, bytes ? 1 : 2], data };
}

/** The batcher's own timers. */
function countTimers(clock: FakeClock): Clock & { live(): number } {
  let live = 0;
  return {
    nowNs: () => clock.nowNs(),
    wallMs: () => clock.wallMs(),
    live: () => live,
    setTimer: (atNs, fire) => {
      live++;
      let on = true;
      const off = () => {
        if (on) live--;
        on = false;
      };
      const timer = clock.setTimer(atNs, () => {
        off();
        fire();
      });
      return {
        clear: () => {
          off();
          timer.clear();
        },
      };
    },
  };
}
