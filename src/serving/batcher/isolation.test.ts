import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { echo, FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import { type Batch, NO_DEADLINE, type Reason, ServingError } from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

const MS = 1e6;

/** Requests 0 to `count - 1` that become one batch behind a first one; those in `guilty` make every batch they are in fail. */
function runBatch(count: number, guilty: readonly number[], reason: Reason = 'BACKEND_FAILED') {
  const clock = new FakeClock();
  const valueAt = (batch: Batch, i: number) =>
    new Float32Array(batch.members[i]!.inputs[0]!.data.slice().buffer)[0] as number;
  const executor = new FakeExecutor({
    clock,
    serviceNs: () => MS,
    compute: (batch) => {
      const values = batch.members.map((_, i) => valueAt(batch, i));
      return values.some((value) => guilty.includes(value)) ? new ServingError(reason, 'bad data') : echo(batch);
    },
  });
  const batching = policy({ maxBatchSize: 64 });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const spec = modelSpec({ maxBatchSize: 64, batching });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 1000 });
  const outcomes = new Map<number, string>();
  const items: QueueItem[] = [];
  function send(value: number, deadlineNs = NO_DEADLINE): void {
    const settle = (outcome: MemberOutcome) => {
      if (outcomes.has(value)) throw new Error('settled twice');
      const own = () =>
        new Float32Array((outcome.kind === 'done' ? outcome.outputs[0]!.data : new Uint8Array(4)).slice().buffer)[0];
      outcomes.set(value, outcome.kind === 'done' ? `done ${own()}` : outcome.error.reason);
    };
    const member = { inputs: [fp32('x', [1, 1], [value])], rows: 1 };
    const item = { member, key: '', priority: 0, timeoutUs: 0, deadlineNs, enqueuedNs: clock.nowNs(), settle };
    items.push(item);
    batcher.enqueue(item);
  }
  send(-1);
  for (let i = 0; i < count; i++) send(i);
  return { clock, batcher, executor, outcomes, items, send };
}

describe('a batch that fails', () => {
  it.each([0, 5, 7])('fails only request %i, whose data it was; the others get their own rows', (guilty) => {
    const { clock, outcomes, executor } = runBatch(8, [guilty]);
    clock.advance(50 * MS);
    for (let i = 0; i < 8; i++) expect(outcomes.get(i)).toBe(i === guilty ? 'BACKEND_FAILED' : `done ${i}`);
    // The first one, the batch, and two runs for each of three halvings.
    expect(executor.executions).toHaveLength(2 + 6);
  });

  it('is not searched on where halves fail and none succeeds', () => {
    const { clock, outcomes, executor } = runBatch(
      32,
      Array.from({ length: 32 }, (_, i) => i),
    );
    clock.advance(100 * MS);
    expect([...outcomes.values()].filter((what) => what === 'BACKEND_FAILED')).toHaveLength(32);
    expect(executor.executions.length).toBeLessThanOrEqual(2 + 6);
  });

  it('costs a bounded number of runs, however many are guilty', () => {
    const { clock, outcomes, executor } = runBatch(32, [3, 9, 12, 17, 22, 28, 31]);
    clock.advance(100 * MS);
    expect(outcomes.size).toBe(33);
    expect(executor.executions.length).toBeLessThanOrEqual(2 + 12);
    for (const guilty of [3, 9, 31]) expect(outcomes.get(guilty)).toBe('BACKEND_FAILED');
  });

  it.each(['EXECUTOR_LOST', 'CLIENT_CANCELLED', 'INTERNAL'] as const)('by %s is not run again', (reason) => {
    const { clock, outcomes, executor } = runBatch(4, [1], reason);
    clock.advance(50 * MS);
    expect([0, 1, 2, 3].map((i) => outcomes.get(i))).toEqual([reason, reason, reason, reason]);
    expect(executor.executions).toHaveLength(2);
  });

  it('does not run those again who went away, and is over when the executor is lost', () => {
    const { clock, batcher, outcomes, items, executor } = runBatch(4, [3]);
    clock.advance(2.5 * MS);
    batcher.cancel(items[3] as QueueItem);
    batcher.cancel(items[4] as QueueItem);
    clock.advance(50 * MS);
    expect([outcomes.get(2), outcomes.get(3)]).toEqual(['CLIENT_CANCELLED', 'CLIENT_CANCELLED']);
    expect(executor.executions).toHaveLength(3);

    const lost = runBatch(4, [3]);
    lost.clock.advance(2.5 * MS);
    lost.batcher.failWaiting(new ServingError('EXECUTOR_LOST', 'no lane is left'));
    expect([lost.outcomes.get(2), lost.outcomes.get(3)]).toEqual(['EXECUTOR_LOST', 'EXECUTOR_LOST']);
  });

  it('is run again before what comes later, and deadlines hold all the same', () => {
    const { clock, outcomes, send, executor } = runBatch(2, [1]);
    clock.advance(1.5 * MS);
    send(7);
    send(8, 2.4 * MS);
    clock.advance(0.7 * MS);
    send(9);
    clock.advance(50 * MS);
    expect(outcomes.get(8)).toBe('DEADLINE_EXCEEDED');
    expect(executor.executions.map(({ batch }) => batch.rows)).toEqual([1, 2, 2, 1, 1, 1]);
    expect(outcomes.get(9)).toBe('done 9');
  });
});
