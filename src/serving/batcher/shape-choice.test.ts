import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import { type BatchPolicy, executedRows, NO_DEADLINE, type Tensor } from '../../core/index.js';
import { Batcher, LearnedCost, type MemberOutcome } from './index.js';

const US = 1000;

/** A model whose executions take `fixedUs` and `tokenUs` for each row and unit of length; one instance. */
function setup(fixedUs: number, tokenUs: number, changes: Partial<BatchPolicy> = {}, costs?: LearnedCost) {
  const clock = new FakeClock();
  const lengthAxes = { axes: [1], padValue: 0 };
  const spec = modelSpec({
    maxBatchSize: 8,
    inputs: [tensorSpec('x', 'UINT8', [-1], { lengthAxes })],
    outputs: [tensorSpec('y', 'UINT8', [-1], { lengthAxes })],
    batching: policy({ maxBatchSize: 8, ...changes }),
  });
  const lengthOf = (input: Tensor | undefined) => input?.shape[1] as number;
  const ran: number[][] = [];
  const executor = new FakeExecutor({
    clock,
    serviceNs: (batch) => {
      const length = batch.padded?.length || lengthOf(batch.members[0]?.inputs[0]);
      return (fixedUs + executedRows(batch) * length * tokenUs) * US;
    },
    compute: (batch) => {
      ran.push(batch.members.map(({ inputs }) => lengthOf(inputs[0])));
      const shape = [executedRows(batch), batch.padded?.length || lengthOf(batch.members[0]?.inputs[0])];
      const data = new Uint8Array((shape[0] as number) * (shape[1] as number));
      return [{ name: 'y', dataType: 'UINT8', shape, data }];
    },
  });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const options = { spec, executor, clock, metrics, maxQueueSize: 1000 };
  const batcher = new Batcher(costs === undefined ? options : { ...options, costs });
  const outcomes: MemberOutcome[] = [];
  const send = (length: number, deadlineNs = NO_DEADLINE) => {
    const input: Tensor = { name: 'x', dataType: 'UINT8', shape: [1, length], data: new Uint8Array(length) };
    batcher.enqueue({
      member: { inputs: [input], rows: 1 },
      key: 'padded',
      length,
      priority: 0,
      timeoutUs: 0,
      deadlineNs,
      enqueuedNs: clock.nowNs(),
      settle: (outcome) => outcomes.push(outcome),
    });
  };
  const finish = () => clock.runUntil(() => batcher.depth === 0 && executor.busy === 0);
  /** Executions of one size after the other, so that what they take is known. */
  const learn = () => {
    for (let round = 0; round < 20; round++) {
      for (const length of [2, 10, 40]) for (let i = 0; i < 1 + (round % 4); i++) send(length);
      finish();
    }
    ran.length = 0;
    outcomes.length = 0;
  };
  return { clock, batcher, send, finish, learn, ran, outcomes };
}

/** The lengths of the executions of `lengths`, sent while another runs. */
function executionsOf(path: ReturnType<typeof setup>, lengths: readonly number[]): number[][] {
  path.learn();
  path.send(1);
  for (const length of lengths) path.send(length);
  path.finish();
  return path.ran.slice(1);
}

describe('requests of different lengths', () => {
  it('share an execution where calls are dear and elements are cheap', () => {
    expect(executionsOf(setup(1000, 0.1), [3, 40, 9, 25])).toEqual([[3, 40, 9, 25]]);
  });

  it('share no more than the tokens that a batch may have, padding included; who has more runs alone', () => {
    const limited = () => setup(1000, 0.1, { maxBatchTokens: 80 });
    expect(executionsOf(limited(), [3, 40, 9, 25])).toEqual([[3, 9, 25], [40]]);
    expect(executionsOf(limited(), [40, 3, 30, 9])).toEqual([
      [40, 30],
      [3, 9],
    ]);
    expect(executionsOf(limited(), [200, 3, 9])).toEqual([[200], [3, 9]]);
    expect(executionsOf(limited(), [10, 10, 10, 10, 10, 10, 10, 10])).toEqual([[10, 10, 10, 10, 10, 10, 10, 10]]);
    expect(executionsOf(limited(), [11, 11, 11, 11, 11, 11, 11, 11])).toEqual([[11, 11, 11, 11, 11, 11, 11], [11]]);
  });

  it('do not where elements are dear and calls are cheap; equal ones still do, past those between them', () => {
    expect(executionsOf(setup(1, 50), [3, 40, 3, 40, 20])).toEqual([[3, 3], [40, 40], [20]]);
  });

  it('share with those nearest in length where both matter', () => {
    expect(executionsOf(setup(200, 10), [30, 4, 32, 5, 31])).toEqual([
      [30, 32, 31],
      [4, 5],
    ]);
  });

  it('are not all drawn to the length of one that is odd', () => {
    const ran = executionsOf(setup(100, 10), [8, 8, 8, 500, 8, 8, 8]);
    expect(ran).toEqual([[8, 8, 8, 8, 8, 8], [500]]);
  });

  it('are taken in the order of service where more wait than fit', () => {
    const ran = executionsOf(setup(10_000, 0.01), [5, 6, 7, 8, 5, 6, 7, 8, 9, 9]);
    expect(ran).toEqual([
      [5, 6, 7, 8, 5, 6, 7, 8],
      [9, 9],
    ]);
  });

  it('do not join the head where its deadline leaves no time for their length', () => {
    const path = setup(1000, 10, {}, new LearnedCost());
    path.learn();
    path.send(40);
    path.clock.advance(1);
    // Alone it takes some 1.02 ms, in a batch of length 40 at least 1.4.
    path.send(2, path.clock.nowNs() + 2.6e6);
    path.send(40);
    path.finish();
    expect(path.ran).toEqual([[40], [2], [40]]);
    expect(path.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done']);
  });

  it('tell how much of their execution was padding', () => {
    const path = setup(1000, 0.1, { allowedBatchSizes: [1, 4, 8] });
    path.learn();
    const before = path.batcher.report().paddingShare;
    path.send(4);
    for (const length of [10, 5, 10]) path.send(length);
    path.finish();
    expect(path.ran).toEqual([[4], [10, 5, 10]]);
    const shares = path.outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.paddingShare : -1));
    expect(shares).toEqual([0, 0.375, 0.375, 0.375]);
    expect(path.batcher.report().paddingShare).not.toBe(before);
  });
});
