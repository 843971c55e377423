import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import { type CostModel, NO_DEADLINE } from '../../core/index.js';
import { Batcher } from './index.js';

const MS = 1e6;
/** 2 ms an execution and 1 ms a row. */
const LINE: CostModel = {
  curve: () => ({ meanNs: (rows) => (2 + rows) * MS, upperNs: (rows) => (2 + rows) * MS }),
  observe() {},
};

function setup(costs?: CostModel) {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock });
  const batching = policy({ maxBatchSize: 4, sloMs: costs === undefined ? 0 : 1000, batchLimit: 'max' });
  const spec = modelSpec({ maxBatchSize: 4, batching });
  const metrics = { executed() {}, setQueueDepth() {} };
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 100, ...(costs && { costs }) });
  const send = () =>
    batcher.enqueue({
      member: { inputs: [fp32('x', [1, 1], [1])], rows: 1 },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: clock.nowNs(),
      settle() {},
    });
  const finish = (at: number) => executor.executions[at]?.finish([fp32('y', [1, 1], [1])]);
  return { clock, batcher, send, finish };
}

describe('the outlook', () => {
  it('is the time of one execution where nothing waits', () => {
    const { batcher } = setup(LINE);
    expect(batcher.outlook()).toMatchObject({ slots: 1, busySlots: 0, waitedMs: 0, answerInMs: 3 });
  });

  it('counts what runs, what waits, and how long the next one has waited', () => {
    const { clock, batcher, send } = setup(LINE);
    send();
    clock.advance(MS);
    for (let i = 0; i < 5; i++) send();
    clock.advance(MS);
    // 1 ms of the run is left; four of the line take 6 ms, the fifth and the newcomer 4.
    expect(batcher.outlook()).toMatchObject({ slots: 1, busySlots: 1, waitedMs: 1, answerInMs: 11 });
  });

  it('goes by how fast the line moved where the time of executions is unknown, and tells nothing before it did', () => {
    const { clock, batcher, send, finish } = setup();
    expect(batcher.outlook().answerInMs).toBeUndefined();
    send();
    clock.advance(5 * MS);
    finish(0);
    expect(batcher.outlook().answerInMs).toBeCloseTo(5, 6);
  });
});
