import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor, type FakeExecutorOptions } from '../../../test/support/fake-executor.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import { type BatchPolicy, NO_DEADLINE, type QueuePolicy, ServingError, serialiseBytes } from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

const US = 1000;
const MS = 1e6;

type Item = QueueItem & { readonly outcome: MemberOutcome | undefined; readonly values: number[] | undefined };

function setup(
  changes: Partial<BatchPolicy> = {},
  executorOptions: Partial<FakeExecutorOptions> = {},
  maxQueueSize = 100,
) {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, ...executorOptions });
  const executed: number[][] = [];
  const depths: number[] = [];
  const metrics = {
    succeeded() {},
    failed() {},
    executed: (...figures: number[]) => executed.push(figures),
    setQueueDepth: (depth: number) => depths.push(depth),
  };
  const batching = policy({ maxBatchSize: 4, ...changes });
  const spec = modelSpec({ maxBatchSize: batching.maxBatchSize, batching });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize });
  const settled: Item[] = [];

  function item(name: number, options: Partial<QueueItem> & { rows?: number } = {}): Item {
    const { rows = 1, ...rest } = options;
    const made = {
      member: {
        inputs: [
          fp32(
            'x',
            [rows, 1],
            Array.from({ length: rows }, (_, i) => name + i / 10),
          ),
        ],
        rows,
      },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: clock.nowNs(),
      outcome: undefined as MemberOutcome | undefined,
      values: undefined as number[] | undefined,
      settle(outcome: MemberOutcome): void {
        if (made.outcome !== undefined) throw new Error('settled twice');
        made.outcome = outcome;
        if (outcome.kind === 'done') {
          const data = outcome.outputs[0]?.data.slice() as Uint8Array;
          made.values = [...new Float32Array(data.buffer)].map((n) => Math.round(n * 10) / 10);
        }
        settled.push(made);
      },
      ...rest,
    };
    return made;
  }
  function send(name: number, options: Partial<QueueItem> & { rows?: number } = {}): Item {
    const made = item(name, options);
    batcher.enqueue(made);
    return made;
  }
  /** Rows of the execution `i`, by the first value of each member. */
  const batchOf = (i: number) =>
    executor.executions[i]?.batch.members.map((m) =>
      Math.round(new Float32Array(m.inputs[0]!.data.slice().buffer)[0] as number),
    );
  const finish = (i: number) => {
    const execution = executor.executions[i]!;
    const inputs = execution.batch.members.map((m) => m.inputs[0]!.data);
    execution.finish([
      { ...fp32('y', [execution.batch.rows, 1]), data: Uint8Array.from(inputs.flatMap((d) => [...d])) },
    ]);
  };
  return { clock, executor, batcher, executed, depths, settled, item, send, batchOf, finish };
}

const queuePolicy = (changes: Partial<QueuePolicy>): QueuePolicy => ({
  timeoutAction: 'REJECT',
  defaultTimeoutUs: 0,
  allowTimeoutOverride: false,
  maxQueueSize: 0,
  ...changes,
});

function reasonOf(item: { readonly outcome: MemberOutcome | undefined }): string | undefined {
  return item.outcome?.kind === 'failed' ? item.outcome.error.reason : item.outcome?.kind;
}

function messageOf(item: { readonly outcome: MemberOutcome | undefined }): string {
  return item.outcome?.kind === 'failed' ? item.outcome.error.message : '';
}

function thrownBy(act: () => void): ServingError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof ServingError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

describe('batching', () => {
  it('runs a request at once where an instance is free, and lets the batch grow while none is', () => {
    const { send, batchOf, finish } = setup();
    send(1);
    for (const name of [2, 3, 4]) send(name);
    expect(batchOf(0)).toEqual([1]);
    expect(batchOf(1)).toBeUndefined();
    finish(0);
    expect(batchOf(1)).toEqual([2, 3, 4]);
  });

  it('gives each request its own rows and says where its time went', () => {
    const { send, finish, clock, executed } = setup();
    send(9);
    const [a, b] = [send(1, { rows: 2 }), send(5)];
    clock.advance(3 * MS);
    finish(0);
    clock.advance(2 * MS);
    finish(1);
    expect(a.values).toEqual([1, 1.1]);
    expect(b.values).toEqual([5]);
    expect(a.outcome).toMatchObject({ queueNs: 3 * MS, computeNs: 2 * MS, batchRows: 3, batchFinishedNs: 5 * MS });
    expect(executed[1]).toEqual([3, 0, 2 * MS, 0, 0]);
  });

  it('does not let a request of another shape cut a batch, nor wait for ever itself', () => {
    const { send, finish, batchOf } = setup();
    send(0);
    send(1, { key: 'a' });
    send(2, { key: 'b' });
    send(3, { key: 'a' });
    finish(0);
    send(4, { key: 'a' });
    expect(batchOf(1)).toEqual([1, 3]);
    finish(1);
    expect(batchOf(2)).toEqual([2]);
  });

  it('passes over a request that does not fit, which then comes first', () => {
    const { send, finish, batchOf } = setup();
    send(0);
    send(1, { rows: 3 });
    send(2, { rows: 2 });
    send(3);
    finish(0);
    expect(batchOf(1)).toEqual([1, 3]);
    finish(1);
    expect(batchOf(2)).toEqual([2]);
  });

  it('waits for the queue delay and then runs what came', () => {
    const { send, clock, batchOf } = setup({ maxQueueDelayUs: 500 });
    send(1);
    clock.advance(400 * US);
    send(2);
    expect(batchOf(0)).toBeUndefined();
    clock.advance(100 * US);
    expect(batchOf(0)).toEqual([1, 2]);
  });

  it('ends the delay when the batch is full, whatever the shapes in between', () => {
    const { send, batchOf } = setup({ maxQueueDelayUs: 500 });
    for (const [i, key] of ['a', 'b', 'a', 'a'].entries()) send(i, { key });
    expect(batchOf(0)).toBeUndefined();
    send(9, { key: 'a' });
    expect(batchOf(0)).toEqual([0, 2, 3, 9]);
  });

  it('keeps as many executions in flight as there are slots', () => {
    const { send, executor } = setup({}, { slots: 2 });
    for (let i = 0; i < 3; i++) send(i);
    expect(executor.busy).toBe(2);
  });

  it('serves higher priorities first, and unknown ones at the default level', () => {
    const { send, finish, batchOf } = setup({ priorityLevels: 3, defaultPriorityLevel: 2, maxBatchSize: 1 });
    send(0);
    send(3, { priority: 3 });
    send(2);
    send(22, { priority: 99 });
    send(1, { priority: 1 });
    for (let i = 0; i < 4; i++) finish(i);
    expect([1, 2, 3, 4].map((i) => batchOf(i)?.[0])).toEqual([1, 2, 22, 3]);
  });

  it('passes outputs on as they are for a model without a batch axis', () => {
    const { send, executor } = setup({ maxBatchSize: 0 });
    const a = send(1);
    executor.executions[0]?.finish([fp32('y', [], [7])]);
    expect(a.values).toEqual([7]);
    expect(a.outcome).toMatchObject({ batchRows: 0 });
  });

  it('splits BYTES outputs by their elements', () => {
    const { send, executor } = setup({ maxBatchSize: 4 });
    send(0);
    const seen: number[][] = [];
    for (const rows of [2, 1]) {
      const keep = (outcome: MemberOutcome) => outcome.kind === 'done' && seen.push([...outcome.outputs[0]!.data]);
      send(1, { rows, settle: keep });
    }
    executor.executions[0]?.finish(new ServingError('BACKEND_FAILED', 'x'));
    const element = (length: number) => new Uint8Array(length).fill(length);
    const data = serialiseBytes([element(1), element(0), element(3)]);
    executor.executions[1]?.finish([{ name: 'y', dataType: 'BYTES', shape: [3, 1], data }]);
    expect(seen).toEqual([
      [1, 0, 0, 0, 1, 0, 0, 0, 0],
      [3, 0, 0, 0, 3, 3, 3],
    ]);
  });

  it.each([
    ['too few rows', { ...fp32('y', [1, 1]) }],
    ['no batch axis', { ...fp32('y', []) }],
    ['bytes that do not fill the shape', { ...fp32('y', [2, 1]), data: new Uint8Array(7) }],
    ['a BYTES element too few', { name: 'y', dataType: 'BYTES' as const, shape: [2], data: new Uint8Array(4) }],
    ['a BYTES element too many', { name: 'y', dataType: 'BYTES' as const, shape: [2], data: new Uint8Array(12) }],
  ])('refuses a batch whose output has %s, to everyone', (_, output) => {
    const { send, executor, executed, finish } = setup();
    send(0);
    const members = [send(1), send(2)];
    finish(0);
    executor.executions[1]?.finish([output]);
    expect(members.map(reasonOf)).toEqual(['OUTPUT_SHAPE_MISMATCH', 'OUTPUT_SHAPE_MISMATCH']);
    expect(messageOf(members[0]!)).toContain("'y'");
    expect(executed.length).toBe(1);
  });

  it('tells every member of a failed execution, and goes on', () => {
    const { send, executor, finish } = setup();
    send(0);
    const members = [send(1), send(2)];
    finish(0);
    executor.executions[1]?.finish(new ServingError('EXECUTOR_LOST', 'no'));
    expect(members.map(reasonOf)).toEqual(['EXECUTOR_LOST', 'EXECUTOR_LOST']);
    const next = send(3);
    finish(2);
    expect(next.values).toEqual([3]);
  });

  it('settles the members where the executor itself throws', () => {
    const { send, executor } = setup();
    executor.execute = () => {
      throw new Error('broken');
    };
    expect(reasonOf(send(1))).toBe('INTERNAL');
  });
});

describe('time-outs and deadlines', () => {
  it('refuses what waited too long in the queue, and says how long', () => {
    const { send, clock } = setup({ defaultQueuePolicy: queuePolicy({ defaultTimeoutUs: 2000 }) });
    const first = send(0);
    const a = send(1);
    clock.advance(2 * MS);
    expect(reasonOf(a)).toBe('DEADLINE_EXCEEDED');
    expect(messageOf(a)).toMatch(/in the queue after 2 ms/);
    // It was taken in time: the queue time-out has no say over the execution.
    expect(first.outcome).toBeUndefined();
  });

  it('with action DELAY serves it after all others of its priority', () => {
    const { send, clock, finish, batchOf } = setup({
      maxBatchSize: 1,
      defaultQueuePolicy: queuePolicy({ timeoutAction: 'DELAY', defaultTimeoutUs: 1000 }),
    });
    send(0);
    send(1);
    clock.advance(1 * MS);
    send(2);
    for (let i = 0; i < 2; i++) finish(i);
    expect([batchOf(1), batchOf(2)]).toEqual([[2], [1]]);
  });

  it.each([
    // allow override, policy's own, request's: [when it ends, what it is]
    [true, 2000, 1000, 1, 'time-out 1 ms'],
    [true, 2000, 9000, 2, 'time-out 2 ms'],
    [false, 0, 1000, 1, 'deadline'],
    [true, 0, 1000, 1, 'deadline'],
    [false, 2000, 1000, 1, 'deadline'],
  ])(
    'override %s, policy %i us, request %i us: ends after %i ms as %s',
    (allowTimeoutOverride, own, timeoutUs, ms, what) => {
      const { send, clock } = setup({
        defaultQueuePolicy: queuePolicy({ defaultTimeoutUs: own, allowTimeoutOverride }),
      });
      send(0);
      const a = send(1, { timeoutUs });
      clock.advance(ms * MS - 1);
      expect(a.outcome).toBeUndefined();
      clock.advance(1);
      expect(reasonOf(a)).toBe('DEADLINE_EXCEEDED');
      expect(messageOf(a)).toContain(what);
    },
  );

  it('answers at the deadline while the model still runs, and stops the run when nobody waits any more', () => {
    const { send, clock, executor, finish, executed } = setup();
    send(0);
    const [a, b] = [send(1, { deadlineNs: 1 * MS }), send(2, { deadlineNs: 2 * MS })];
    finish(0);
    clock.advance(1 * MS);
    expect(messageOf(a)).toMatch(/in compute after 1 ms/);
    expect(executor.executions[1]?.cancelled).toBe(false);
    clock.advance(1 * MS);
    expect(reasonOf(b)).toBe('DEADLINE_EXCEEDED');
    expect(executor.executions[1]?.cancelled).toBe(true);
    finish(1);
    expect(executed.length).toBe(2);
  });

  it('refuses at once what comes after its deadline', () => {
    const { item, batcher, clock } = setup();
    clock.advance(5 * MS);
    const error = thrownBy(() => batcher.enqueue(item(1, { deadlineNs: 4 * MS })));
    expect([error.reason, error.message]).toEqual(['DEADLINE_EXCEEDED', expect.stringContaining('1 ms before')]);
  });
});

describe('the number of an execution', () => {
  it('is shared by batch-mates, and so is its time, by rows', () => {
    const { send, finish, clock } = setup();
    send(9);
    const [a, b] = [send(1, { rows: 3 }), send(5)];
    finish(0);
    clock.advance(4 * MS);
    finish(1);
    expect(a.outcome).toMatchObject({ execution: 2, deviceNs: 3 * MS });
    expect(b.outcome).toMatchObject({ execution: 2, deviceNs: MS });
  });

  it('is told of failures and of those who went away meanwhile, and is 0 before there is one', () => {
    const { send, batcher, executor } = setup();
    const [a, b, c, d] = [send(1), send(2), send(3), send(4)];
    batcher.cancel(b);
    executor.executions[0]?.finish(new ServingError('EXECUTOR_LOST', 'gone'));
    batcher.cancel(c);
    executor.executions[1]?.finish(new ServingError('EXECUTOR_LOST', 'gone'));
    expect([a, b, c, d].map(({ outcome }) => outcome)).toMatchObject([
      { kind: 'failed', execution: 1 },
      { kind: 'failed', execution: 0 },
      { kind: 'failed', execution: 2 },
      { kind: 'failed', execution: 2 },
    ]);
  });
});

describe('going away', () => {
  it('frees the place in the queue at once', () => {
    const { send, batcher, finish, batchOf, depths } = setup();
    send(0);
    const [a] = [send(1), send(2)];
    batcher.cancel(a);
    expect(reasonOf(a)).toBe('CLIENT_CANCELLED');
    expect(depths.at(-1)).toBe(1);
    finish(0);
    expect(batchOf(1)).toEqual([2]);
    batcher.cancel(a);
  });

  it('leaves the others of a running batch their rows', () => {
    const { send, batcher, finish, executor } = setup();
    send(0);
    const [a, b] = [send(1), send(2)];
    finish(0);
    batcher.cancel(a);
    expect(executor.executions[1]?.cancelled).toBe(false);
    finish(1);
    expect(b.values).toEqual([2]);
  });

  it('stops the run when the last member goes', () => {
    const { send, batcher, executor } = setup({}, { serviceNs: () => 10 * MS, cancelNs: 1000 });
    const a = send(1);
    batcher.cancel(a);
    expect(executor.executions[0]?.cancelled).toBe(true);
  });

  it('settles once where stopping the run ends it on the spot', () => {
    const { send, batcher, executor, settled } = setup();
    const execute = executor.execute.bind(executor);
    executor.execute = (batch, settle) => {
      execute(batch, settle);
      const stop = new ServingError('CLIENT_CANCELLED', 'the run was stopped');
      return { cancel: () => executor.executions.at(-1)?.finish(stop) };
    };
    const a = send(1);
    batcher.cancel(a);
    expect(settled).toEqual([a]);
  });

  it('does not stop a run that has ended, where one reply makes the other caller go away', () => {
    const { send, batcher, finish } = setup();
    send(0);
    send(1, { settle: () => batcher.cancel(b) });
    const b = send(2);
    finish(0);
    finish(1);
    expect(reasonOf(b)).toBe('CLIENT_CANCELLED');
  });

  it('does not hold a batch open for one that went', () => {
    const { send, batcher, clock, batchOf } = setup({ maxQueueDelayUs: 1000 });
    const a = send(1);
    clock.advance(500 * US);
    send(2);
    batcher.cancel(a);
    clock.advance(999 * US);
    expect(batchOf(0)).toBeUndefined();
    clock.advance(1 * US);
    expect(batchOf(0)).toEqual([2]);
  });
});

describe('the bound of the queue', () => {
  it('refuses what does not fit and says when to come again', () => {
    const { send, item, batcher, clock, finish } = setup({ maxBatchSize: 1 }, {}, 2);
    send(0);
    clock.advance(50 * MS);
    finish(0);
    for (const name of [1, 2, 3]) send(name);
    const error = thrownBy(() => batcher.enqueue(item(4)));
    expect([error.reason, error.retryAfterMs]).toEqual(['QUEUE_FULL', 100]);
    expect(error.message).toContain('2 requests wait, at most 2 may');
    expect(batcher.depth).toBe(2);
  });

  it("takes a level's own bound before the server's", () => {
    const { send, item, batcher } = setup(
      {
        priorityLevels: 2,
        defaultPriorityLevel: 2,
        priorityQueuePolicies: new Map([[1, queuePolicy({ maxQueueSize: 1 })]]),
      },
      {},
      3,
    );
    send(0);
    send(1, { priority: 1 });
    expect(thrownBy(() => batcher.enqueue(item(2, { priority: 1 }))).message).toContain('priority level 1');
    for (const name of [3, 4]) send(name);
    expect(thrownBy(() => batcher.enqueue(item(5))).reason).toBe('QUEUE_FULL');
  });
});

describe('preserve_ordering', () => {
  it('holds replies, errors too, until those before them are answered, with their bytes intact', () => {
    const { send, settled, finish, executor } = setup({ preserveOrdering: true, maxBatchSize: 1 }, { slots: 3 });
    const [a, b, c] = [send(1), send(2), send(3)];
    finish(2);
    executor.executions[1]?.finish(new ServingError('BACKEND_FAILED', 'no'));
    expect(settled).toEqual([]);
    finish(0);
    expect(settled).toEqual([a, b, c]);
    expect(c.values).toEqual([3]);
  });

  it('does not wait for a caller who went away', () => {
    const { send, batcher, finish, settled } = setup({ preserveOrdering: true, maxBatchSize: 1 }, { slots: 2 });
    const [a, b] = [send(1), send(2)];
    finish(1);
    batcher.cancel(a);
    expect(settled).toEqual([a, b]);
    expect(reasonOf(b)).toBe('done');
  });

  it('counts held replies against the bound', () => {
    const { send, item, batcher, finish } = setup({ preserveOrdering: true, maxBatchSize: 1 }, { slots: 3 }, 2);
    for (const name of [1, 2, 3]) send(name);
    finish(1);
    finish(2);
    expect(thrownBy(() => batcher.enqueue(item(4))).reason).toBe('QUEUE_FULL');
  });
});

describe('draining', () => {
  it('takes nothing new, finishes what was taken, then resolves and leaves no timer', async () => {
    const { send, item, batcher, finish, clock } = setup({ maxQueueDelayUs: 1000 });
    const a = send(1, { deadlineNs: 1000 * MS });
    let resolved = false;
    const drained = batcher.drain(60_000).then(() => {
      resolved = true;
    });
    expect(thrownBy(() => batcher.enqueue(item(2))).reason).toBe('DRAINING');
    await Promise.resolve();
    expect(resolved).toBe(false);
    // It did not wait out the queue delay: nothing can join any more.
    finish(0);
    expect(a.values).toEqual([1]);
    await drained;
    expect(clock.timers).toBe(0);
    await batcher.drain(0);
  });

  it('settles what is left when its time is up', async () => {
    const { send, batcher, clock, executor } = setup();
    const [a, b] = [send(1), send(2)];
    const drained = batcher.drain(5);
    clock.advance(5 * MS);
    await drained;
    expect([reasonOf(a), reasonOf(b)]).toEqual(['DRAINING', 'DRAINING']);
    expect(executor.executions[0]?.cancelled).toBe(true);
  });

  it('fails only the waiting ones where no lane is left', () => {
    const { send, batcher, finish } = setup();
    const [a, b] = [send(1), send(2)];
    batcher.failWaiting(new ServingError('EXECUTOR_LOST', 'no lane is left'));
    expect(reasonOf(b)).toBe('EXECUTOR_LOST');
    finish(0);
    expect(a.values).toEqual([1]);
  });
});

it('refuses what no caller may hand it', () => {
  const { item, batcher } = setup();
  expect(() => batcher.enqueue(item(1, { rows: 5 }))).toThrow('5 rows, where 1 to 4');
  const a = item(1);
  batcher.enqueue(a);
  expect(() => batcher.enqueue(a)).toThrow('queued already');
});
