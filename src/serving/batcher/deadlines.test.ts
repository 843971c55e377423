import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import {
  type BatchPolicy,
  type CostCurve,
  linearCurve,
  measuredCurve,
  NO_DEADLINE,
  ServingError,
} from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

const MS = 1e6;
const X = fp32('x', [1, 1]);

interface Sent {
  readonly item: QueueItem;
  outcome: MemberOutcome | undefined;
  atMs: number;
}

/** A batcher that knows its curve: executions take exactly what it says. */
function setup(curve: CostCurve, slots: number, changes: Partial<BatchPolicy> = {}) {
  const clock = new FakeClock();
  const observed: number[] = [];
  const executor = new FakeExecutor({ clock, slots, serviceNs: (batch) => curve.meanNs(batch.rows) });
  const batching = policy({ maxBatchSize: 64, ...changes });
  const batcher = new Batcher({
    spec: modelSpec({ maxBatchSize: batching.maxBatchSize, batching }),
    executor,
    clock,
    metrics: { executed() {}, setQueueDepth() {} },
    maxQueueSize: 10_000,
    costs: { curve: () => curve, observe: (_, rows) => observed.push(rows) },
  });
  function send(changed: Partial<QueueItem> = {}): Sent {
    const sent: Sent = {
      outcome: undefined,
      atMs: Number.NaN,
      item: {
        member: { inputs: [X], rows: 1 },
        key: '',
        priority: 0,
        timeoutUs: 0,
        deadlineNs: NO_DEADLINE,
        enqueuedNs: clock.nowNs(),
        settle(outcome) {
          sent.outcome = outcome;
          sent.atMs = clock.nowNs() / MS;
        },
        ...changed,
      },
    };
    batcher.enqueue(sent.item);
    return sent;
  }
  const batches = () => executor.executions.map(({ batch }) => batch.rows);
  return { clock, executor, batcher, observed, send, batches };
}

function refusalOf(act: () => void): ServingError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof ServingError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

const reasonOf = ({ outcome }: Sent) => (outcome?.kind === 'failed' ? outcome.error.reason : outcome?.kind);
const messageOf = ({ outcome }: Sent) => (outcome?.kind === 'failed' ? outcome.error.message : '');

describe('deadlines', () => {
  it('take the earliest first inside a priority, and tell the cost model what an execution took', () => {
    const { clock, send, executor, observed } = setup(linearCurve(10, 0.1), 1, { maxBatchSize: 2 });
    send({ deadlineNs: 100 * MS });
    const late = send({ deadlineNs: 90 * MS });
    const soon = send({ deadlineNs: 40 * MS });
    const middle = send({ deadlineNs: 60 * MS });
    clock.advance(100 * MS);
    expect([soon, middle, late].map(({ atMs }) => atMs)).toEqual([20.3, 20.3, 30.4]);
    expect(executor.executions.map(({ batch }) => batch.rows)).toEqual([1, 2, 1]);
    expect(observed).toEqual([1, 2, 1]);
  });

  it('serve those without one, who cannot starve behind those with one', () => {
    const { clock, send } = setup(linearCurve(100, 0), 1, { maxBatchSize: 1 });
    send();
    const patient = send();
    for (let i = 0; i < 40; i++)
      clock.setTimer(i * 50 * MS, () => {
        try {
          send({ deadlineNs: clock.nowNs() + 250.5 * MS });
        } catch {}
      });
    clock.advance(1300 * MS);
    expect(patient.atMs).toBeGreaterThan(900);
    expect(patient.atMs).toBeLessThan(1300);
  });

  it('run the longest prefix that is in time, not all that waits', () => {
    const { clock, send, batches } = setup(linearCurve(4, 0.3), 1, { sloMs: 12 });
    send();
    const waiting = Array.from({ length: 5 }, () => send());
    const patient = Array.from({ length: 8 }, () => send({ deadlineNs: 11.95 * MS }));
    clock.advance(4.3 * MS);
    // 7.65 ms are left to the earliest deadline: an execution of 12 rows.
    expect(batches()).toEqual([1, 12]);
    clock.advance(20 * MS);
    expect([...patient, ...waiting].filter((one) => reasonOf(one) === 'done')).toHaveLength(12);
    expect([...patient, ...waiting].every(({ atMs }) => atMs <= 12)).toBe(true);
  });

  it('refuse in the queue, as soon as it is known, what no execution could answer in time', () => {
    const { clock, send } = setup(linearCurve(4, 0.3), 1, { maxBatchSize: 1, sloMs: 9 });
    send();
    const second = send();
    const urgent = send({ deadlineNs: 8.7 * MS });
    clock.advance(20 * MS);
    expect([reasonOf(second), second.atMs]).toEqual(['DEADLINE_EXCEEDED', expect.closeTo(4.7, 3)]);
    expect(messageOf(second)).toMatch(
      /refused in the queue after 4\.7 ms: its deadline cannot be met any more \(4\.3 ms are left of 9, an execution takes up to 4\.3 ms\)/,
    );
    expect(reasonOf(urgent)).toBe('done');
  });

  it('refuse at admission what is too short for any load, and what the line leaves no room for, with a time to retry', () => {
    const { send, batcher } = setup(linearCurve(10, 1), 1, { maxBatchSize: 4, sloMs: 30 });
    send();
    const short = refusalOf(() => send({ deadlineNs: 5 * MS }));
    expect([short.reason, short.message]).toEqual([
      'DEADLINE_EXCEEDED',
      'refused at admission: an execution takes up to 11 ms, 5 ms are left to the deadline',
    ]);
    for (let i = 0; i < 4; i++) send();
    const full = refusalOf(() => send());
    expect([full.reason, full.retryAfterMs]).toEqual(['OVERLOADED', 25]);
    expect(full.message).toContain('with 4 rows waiting before it, it cannot be answered within the 30 ms left');
    expect(batcher.depth).toBe(4);
  });

  it('shed the less urgent first: a newcomer of a higher priority is not refused for those below it', () => {
    const levels = { priorityLevels: 2, defaultPriorityLevel: 2 };
    const { clock, send } = setup(linearCurve(10, 1), 1, { maxBatchSize: 4, sloMs: 30, ...levels });
    send();
    for (let i = 0; i < 4; i++) send({ priority: 2 });
    expect(refusalOf(() => send({ priority: 2 })).reason).toBe('OVERLOADED');
    const urgent = Array.from({ length: 4 }, () => send({ priority: 1 }));
    clock.advance(60 * MS);
    expect(urgent.map(reasonOf)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('try once in a while whether what seems out of reach really is', () => {
    const { clock, send, executor } = setup(linearCurve(50, 0), 1, { sloMs: 20 });
    clock.advance(2000 * MS);
    const probe = send();
    expect(executor.executions).toHaveLength(1);
    expect(refusalOf(() => send()).reason).toBe('DEADLINE_EXCEEDED');
    clock.advance(100 * MS);
    // An SLO is no client's deadline: the answer is late, not lost.
    expect(reasonOf(probe)).toBe('done');
  });

  it('try a lone request that is in time with luck where nothing runs, and no other beside it', () => {
    const doubtful: CostCurve = { meanNs: () => 10 * MS, upperNs: () => 50 * MS };
    const { clock, send, executor } = setup(doubtful, 4, { sloMs: 20 });
    // Not because nothing ran for long.
    send();
    clock.advance(15 * MS);
    const lone = send();
    expect(executor.executions).toHaveLength(2);
    expect(refusalOf(() => send()).message).toMatch(/takes up to 50 ms, 20 ms are left/);
    clock.advance(15 * MS);
    expect([reasonOf(lone), lone.atMs]).toEqual(['done', 25]);
    // A demand that even the mean cannot meet is refused.
    expect(refusalOf(() => send({ deadlineNs: clock.nowNs() + 9 * MS })).reason).toBe('DEADLINE_EXCEEDED');
  });

  it('answer past the SLO what the model took too long for, and fail what the caller does not wait for any more', () => {
    const { clock, send, executor } = setup(linearCurve(4, 0.3), 2, { sloMs: 20 });
    const [slow, impatient] = [send(), send({ deadlineNs: 25 * MS })];
    clock.advance(1 * MS);
    for (const { finish } of executor.executions) clock.setTimer(30 * MS, () => finish([fp32('y', [1, 1])]));
    expect(executor.executions.length).toBeGreaterThan(0);
    clock.advance(60 * MS);
    expect([reasonOf(slow), reasonOf(impatient)]).toEqual(['done', 'done']);
  });
});

describe('priorities', () => {
  const levels = { priorityLevels: 2, defaultPriorityLevel: 2, maxBatchSize: 1 };

  it('are strict in a line of seconds, and age in a longer one, so that nobody starves', () => {
    const { clock, send, executor } = setup(linearCurve(500, 0), 1, levels);
    send({ priority: 1 });
    const patient = send({ priority: 2 });
    for (let i = 0; i < 100; i++) clock.setTimer(i * 500 * MS, () => void send({ priority: 1 }));
    clock.advance(5 * 1000 * MS);
    expect(reasonOf(patient)).toBeUndefined();
    clock.advance(2 * 1000 * MS);
    expect(reasonOf(patient)).toBe('done');
    expect(executor.executions.length).toBeGreaterThan(10);
  });
});

describe('several instances', () => {
  it('hold back a small batch while another instance is soon free, and start it before the head is late', () => {
    const { clock, send, batches, batcher } = setup(linearCurve(4, 0.3), 4, { sloMs: 8.6 });
    // So many come that only batches keep up.
    const all: Sent[] = [];
    for (let i = 0; i < 400; i++) {
      clock.advance(0.25 * MS);
      all.push(send());
    }
    clock.advance(20 * MS);
    expect(all.every(({ atMs, item }) => atMs <= item.enqueuedNs / MS + 8.6)).toBe(true);
    const rows = batches();
    expect(all.length / rows.length).toBeGreaterThan(3);
    expect(batcher.depth).toBe(0);
  });

  it('do not hold back anything while little comes', () => {
    const { clock, send, executor } = setup(linearCurve(4, 0.3), 4, { sloMs: 8.6 });
    for (let i = 0; i < 20; i++) {
      clock.advance(10 * MS);
      const one = send();
      expect(executor.busy).toBe(1);
      clock.advance(4.3 * MS);
      expect(reasonOf(one)).toBe('done');
    }
  });

  it('do not hold back past max_queue_delay_microseconds, nor during a drain', async () => {
    const { clock, send, executor, batcher } = setup(linearCurve(4, 0.3), 4, { sloMs: 30, maxQueueDelayUs: 500 });
    let longestMs = 0;
    for (let i = 0; i < 200; i++) {
      clock.advance(0.2 * MS);
      send();
    }
    for (const { batch, startedNs } of executor.executions) {
      expect(batch.rows).toBeGreaterThan(0);
      longestMs = Math.max(longestMs, startedNs / MS);
    }
    const drained = batcher.drain(1000);
    expect(batcher.depth === 0 || executor.freeSlots() === 0).toBe(true);
    clock.advance(100 * MS);
    await drained;
    expect(longestMs).toBeGreaterThan(0);
  });
});

describe('the best batch size', () => {
  const slowPastTwo = measuredCurve([
    [1, 10],
    [2, 12],
    [4, 30],
    [8, 70],
    [64, 700],
  ]);

  it('is not passed where more rows only make the model slower, with and without deadlines', () => {
    for (const sloMs of [0, 10_000]) {
      const { clock, send, batches } = setup(slowPastTwo, 1, { sloMs, batchLimit: 'auto' });
      for (let i = 0; i < 21; i++) send();
      clock.advance(5000 * MS);
      expect(batches()).toEqual([1, ...Array.from({ length: 10 }, () => 2)]);
    }
  });

  it('is tried twice as large once in a while, as what is believed of that may be wrong', () => {
    const { clock, send, batches } = setup(slowPastTwo, 1, { batchLimit: 'auto' });
    for (let i = 0; i < 300; i++) send();
    clock.advance(10_000 * MS);
    expect(batches().filter((rows) => rows > 3)).toEqual([4, 4]);
  });

  it('is passed where that ends sooner than two executions', () => {
    const steps = measuredCurve([
      [1, 10],
      [4, 10],
      [5, 13],
      [8, 40],
      [64, 400],
    ]);
    const { clock, send, batches } = setup(steps, 1, { batchLimit: 'auto' });
    for (let i = 0; i < 6; i++) send();
    clock.advance(100 * MS);
    expect(batches()).toEqual([1, 5]);
  });
});
