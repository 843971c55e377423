import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import { type Batch, executedRows, NO_DEADLINE, ServingError, type Tensor } from '../../core/index.js';
import { Batcher, LearnedCost, type MemberOutcome, type QueueItem } from './index.js';

const SCHEDULES = 4000;
const US = 1000;
const PAD = -1;
const DUMMY = -2;

describe('random schedules of requests of different lengths', () => {
  it('give everyone its own rows and length, and pad no further than declared', { timeout: 120_000 }, () => {
    let padded = 0;
    let shared = 0;
    for (let seed = 0; seed < SCHEDULES; seed++) {
      const told = run(seed);
      padded += told.padded;
      shared += told.shared;
    }
    // A generator that never padded or shared would pass everything else.
    expect(padded).toBeGreaterThan(SCHEDULES);
    expect(shared).toBeGreaterThan(SCHEDULES);
  });

  it('are the same again from the same seed', () => {
    for (let seed = 0; seed < 200; seed++) expect(run(seed).trace).toEqual(run(seed).trace);
  });
});

interface Tracked {
  readonly id: number;
  readonly item: QueueItem;
  readonly length: number;
  state: 'waiting' | 'running' | 'again' | 'settled';
}

/** Runs one schedule and checks it all along. */
function run(seed: number): { trace: string[]; padded: number; shared: number } {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[upTo(values.length)] as T;

  const clock = new FakeClock();
  const maxBatchSize = oneOf([1, 4, 8, 16]);
  const lengthClasses = random() < 0.4 ? oneOf([[8, 16, 32], [5, 20], [64]]) : undefined;
  const allowedBatchSizes =
    random() < 0.4 ? [...new Set([1, 2, 3, 6, maxBatchSize])].filter((n) => n <= maxBatchSize) : undefined;
  if (allowedBatchSizes !== undefined) allowedBatchSizes.sort((a, b) => a - b);
  const maxBatchTokens = random() < 0.4 ? oneOf([20, 64, 300]) : undefined;
  const planned = random() < 0.4;
  const fixedUs = oneOf([10, 200, 1000]);
  const longest = oneOf([6, 40, 100]);
  const faults = random() < 0.2 ? 0.1 : 0;
  const trace: string[] = [];
  const tracked: Tracked[] = [];
  const byMember = new Map<unknown, Tracked>();
  let padded = 0;
  let shared = 0;

  const lengthAxes = { axes: [1], padValue: PAD };
  const spec = modelSpec({
    maxBatchSize,
    inputs: [tensorSpec('x', 'INT32', [-1], { lengthAxes })],
    outputs: [tensorSpec('y', 'INT32', [-1, 2], { lengthAxes }), tensorSpec('sum', 'INT32', [1])],
    batching: policy({
      maxBatchSize,
      dynamic: random() < 0.9,
      maxQueueDelayUs: random() < 0.3 ? 100 : 0,
      preserveOrdering: random() < 0.2,
      sloMs: planned && random() < 0.5 ? 20 : 0,
      ...(lengthClasses === undefined ? {} : { lengthClasses }),
      ...(allowedBatchSizes === undefined ? {} : { allowedBatchSizes }),
      ...(maxBatchTokens === undefined ? {} : { maxBatchTokens }),
    }),
  });
  const { batching } = spec;
  const executor = new FakeExecutor({
    clock,
    slots: 1 + upTo(3),
    serviceNs: (batch) => {
      const length = batch.padded?.length || (byMember.get(batch.members[0])?.length ?? 1);
      return (fixedUs + (executedRows(batch) * length) / 2) * US * (0.9 + 0.2 * random());
    },
    compute: (batch) => {
      if (random() >= faults) return answer(batch);
      for (const member of batch.members) {
        const one = byMember.get(member) as Tracked;
        if (one.state === 'running') one.state = 'again';
      }
      return new ServingError('BACKEND_FAILED', 'injected');
    },
  });
  const execute = executor.execute.bind(executor);
  executor.execute = (batch, settle) => {
    checkBatch(batch);
    return execute(batch, settle);
  };
  const metrics = {
    succeeded() {},
    failed() {},
    executed: (_rows: number, _gather: number, _compute: number, _scatter: number, share: number) =>
      assert.ok(share >= 0 && share < 1),
    setQueueDepth() {},
  };
  const costs = planned ? { costs: new LearnedCost() } : {};
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 1000, ...costs });

  function checkBatch(batch: Batch): void {
    const members = batch.members.map((member) => byMember.get(member) as Tracked);
    const lengths = members.map(({ length }) => length);
    assert.ok(batch.rows <= maxBatchSize);
    if (!batching.dynamic) assert.equal(members.length, 1);
    if (new Set(lengths).size > 1) shared++;
    const rows = executedRows(batch);
    assert.equal(rows, allowedBatchSizes?.find((size) => size >= batch.rows) ?? batch.rows);
    const most = Math.max(...lengths);
    if (batch.padded === undefined) {
      assert.equal(new Set(lengths).size, 1);
    } else {
      padded++;
      assert.equal(batch.padded.length, most === 0 ? 0 : (lengthClasses?.find((length) => length >= most) ?? most));
    }
    if (lengths.includes(0)) assert.equal(most, 0);
    // Of those that cannot be padded all are of one shape, which nothing limits.
    if (maxBatchTokens !== undefined && members.length > 1 && most > 0)
      assert.ok(rows * (batch.padded?.length ?? most) <= maxBatchTokens);
    if (members[0]?.state !== 'again') {
      // Who came first is in the batch, whatever its length: nobody can starve.
      const head = tracked.find(({ state, item }) => state === 'waiting' && item.deadlineNs > clock.nowNs());
      if (!planned) assert.ok(head !== undefined && members.includes(head));
      for (const one of members) assert.equal(one.state, 'waiting');
    }
    for (const one of members) one.state = 'running';
  }

  function settle(one: Tracked, outcome: MemberOutcome): void {
    assert.notEqual(one.state, 'settled');
    one.state = 'settled';
    trace.push(`${one.id} ${outcome.kind === 'done' ? 'done' : outcome.error.reason} ${clock.nowNs()}`);
    if (outcome.kind === 'failed') return;
    const input = one.item.member.inputs[0] as Tensor;
    const own = ints(input);
    const [y, sum] = outcome.outputs as [Tensor, Tensor];
    assert.deepEqual(y.shape, [...input.shape, 2]);
    assert.deepEqual(
      ints(y),
      own.flatMap((value) => [value, -value]),
    );
    assert.deepEqual(sum.shape, [one.item.member.rows, 1]);
    const length = input.shape[1] as number;
    assert.deepEqual(
      ints(sum),
      Array.from({ length: one.item.member.rows }, (_, row) =>
        own.slice(row * length, (row + 1) * length).reduce((a, b) => a + b, 0),
      ),
    );
    assert.ok(outcome.paddingShare >= 0 && outcome.paddingShare < 1);
    assert.ok(outcome.batchRows >= one.item.member.rows && outcome.batchRows <= maxBatchSize);
  }

  function arrive(): void {
    const id = tracked.length;
    const rows = 1 + (random() < 0.8 ? 0 : upTo(maxBatchSize));
    const size = 1 + upTo(longest);
    // Some cannot be padded: their length axes differ, say.
    const length = random() < 0.05 ? 0 : size;
    const data = Int32Array.from({ length: rows * size }, (_, i) => id * 1000 + i + 1);
    const input: Tensor = { name: 'x', dataType: 'INT32', shape: [rows, size], data: new Uint8Array(data.buffer) };
    const now = clock.nowNs();
    const one: Tracked = {
      id,
      length,
      item: {
        member: { inputs: [input], rows },
        key: length === 0 ? `${size};` : 'padded',
        length,
        priority: 0,
        timeoutUs: 0,
        deadlineNs: random() < 0.2 ? now + upTo(20_000) * US + 1 : NO_DEADLINE,
        enqueuedNs: now,
        settle: (outcome) => settle(one, outcome),
      },
      state: 'waiting',
    };
    tracked.push(one);
    byMember.set(one.item.member, one);
    try {
      batcher.enqueue(one.item);
    } catch (thrown) {
      assert.ok(thrown instanceof ServingError);
      one.state = 'settled';
      trace.push(`${id} refused ${(thrown as ServingError).reason}`);
    }
    if (random() < 0.05) clock.setTimer(now + upTo(500) * US, () => batcher.cancel(one.item));
  }

  const requests = 10 + upTo(50);
  const gapUs = oneOf([1, 30, 300]);
  let atNs = 0;
  for (let i = 0; i < requests; i++) {
    if (random() < 0.8) atNs += upTo(2 * gapUs * US);
    clock.setTimer(atNs, arrive);
  }
  clock.runUntil(() => tracked.length === requests && tracked.every(({ state }) => state === 'settled'));
  assert.equal(batcher.depth, 0);
  return { trace, padded, shared };

  /** What the model would answer: padding and dummy rows give values that no caller may see. */
  function answer(batch: Batch): Tensor[] {
    const rows = executedRows(batch);
    const own = batch.members[0]?.inputs[0]?.shape[1] as number;
    const length = batch.padded?.length || own;
    const y = new Int32Array(rows * length * 2).fill(DUMMY);
    const sum = new Int32Array(rows).fill(DUMMY);
    let row = 0;
    for (const member of batch.members) {
      const input = member.inputs[0] as Tensor;
      const values = ints(input);
      const size = input.shape[1] as number;
      for (let r = 0; r < member.rows; r++, row++) {
        sum[row] = 0;
        for (let i = 0; i < length; i++) {
          const value = i < size ? (values[r * size + i] as number) : PAD;
          y[(row * length + i) * 2] = value;
          y[(row * length + i) * 2 + 1] = -value;
          if (i < size) (sum[row] as number) += value;
        }
      }
    }
    return [
      { name: 'y', dataType: 'INT32', shape: [rows, length, 2], data: new Uint8Array(y.buffer) },
      { name: 'sum', dataType: 'INT32', shape: [rows, 1], data: new Uint8Array(sum.buffer) },
    ];
  }
}

function ints({ data }: Tensor): number[] {
  return [...new Int32Array(data.slice().buffer)];
}
