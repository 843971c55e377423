import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor, type FakeExecutorOptions } from '../../../test/support/fake-executor.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import { type BatchPolicy, NO_DEADLINE } from '../../core/index.js';
import { Batcher, type BatcherOptions, type MemberOutcome, type QueueItem } from './index.js';

const US = 1000;
const MS = 1e6;

type Item = QueueItem & { outcome?: MemberOutcome; value?: number };

/** A batcher each of whose answers takes `answerNs` of the thread. */
function setup(
  answerNs: () => number,
  executorOptions: Partial<FakeExecutorOptions> = {},
  changes: Partial<BatchPolicy> = {},
  options: Partial<BatcherOptions> = {},
) {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, lends: true, serviceNs: () => 5 * MS, ...executorOptions });
  const batching = policy({ maxBatchSize: 256, ...changes });
  const spec = modelSpec({ maxBatchSize: 256, batching });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 1000, ...options });
  const settled: Item[] = [];

  function send(value: number, more: Partial<QueueItem> = {}): Item {
    const item: Item = {
      member: { inputs: [fp32('x', [1, 1], [value])], rows: 1 },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: clock.nowNs(),
      settle(outcome) {
        if (item.outcome !== undefined) throw new Error('settled twice');
        item.outcome = outcome;
        if (outcome.kind === 'done') {
          const data = outcome.outputs[0]?.data.slice() as Uint8Array;
          item.value = new Float32Array(data.buffer)[0] as number;
        }
        clock.work(answerNs());
        settled.push(item);
      },
      ...more,
    };
    batcher.enqueue(item);
    return item;
  }

  /** One that starts an execution of its own, and `count` that wait for it and run together. */
  function crowd(count: number): Item[] {
    send(-1);
    return Array.from({ length: count }, (_, i) => send(i));
  }
  return { clock, executor, batcher, settled, send, crowd };
}

const doneOf = (items: readonly Item[]) => items.filter(({ outcome }) => outcome?.kind === 'done');
const valuesOf = (items: readonly Item[]) => items.map(({ value }) => value);

describe('answers of a large execution', () => {
  it('let the event loop turn about every half millisecond, and are all given, in order', () => {
    const { clock, executor, settled, crowd } = setup(() => 30 * US);
    const items = crowd(100);
    clock.runUntil(() => executor.executions[1]?.ended === true);
    const stretches: number[] = [];
    for (let before = 1; doneOf(items).length < 100; ) {
      stretches.push(settled.length - before);
      before = settled.length;
      if (!clock.fireNext()) throw new Error('some have no answer');
    }
    expect(stretches[0]).toBe(24);
    expect(Math.max(...stretches)).toBe(24);
    expect(valuesOf(settled.slice(1))).toEqual(items.map((_, i) => i));
    expect(valuesOf(items)).toEqual(items.map((_, i) => i));
  });

  it('do not keep who comes meanwhile from being served by another instance', () => {
    const { clock, executor, settled, send, crowd } = setup(() => 30 * US, { slots: 2 });
    send(-2);
    const items = crowd(100);
    clock.runUntil(() => settled.length > 2 && doneOf(items).length > 0);
    expect(doneOf(items).length).toBeLessThan(50);
    const late = send(1000);
    expect(executor.executions.at(-1)?.batch.members).toEqual([late.member]);
    clock.runUntil(() => late.outcome !== undefined);
    expect(doneOf(items).length).toBe(100);
    expect(late.value).toBe(1000);
  });

  it('are given at once where the lane does not lend its memory, and where they answer first', () => {
    for (const made of [setup(() => 30 * US, { lends: false }), setup(() => 30 * US, {}, {}, { answersFirst: true })]) {
      const items = made.crowd(100);
      made.clock.runUntil(() => doneOf(items).length > 0);
      expect(valuesOf(items)).toEqual(items.map((_, i) => i));
    }
  });

  it('are given at once where they take no time', () => {
    const { clock, crowd } = setup(() => 1 * US);
    const items = crowd(200);
    clock.runUntil(() => doneOf(items).length > 0);
    expect(doneOf(items)).toHaveLength(200);
  });

  it('that are cancelled or late in between are not given, and stop nothing that has ended', () => {
    const { clock, batcher, send } = setup(() => 100 * US);
    send(-1);
    const deadlineNs = 10 * MS + 300 * US;
    const items = Array.from({ length: 40 }, (_, i) => send(i, i === 39 ? { deadlineNs } : {}));
    clock.runUntil(() => doneOf(items).length > 0);
    expect(doneOf(items)).toHaveLength(8);
    for (const item of items.slice(8, 39)) batcher.cancel(item);
    clock.advance(10 * MS);
    expect(items.map(({ outcome }) => (outcome?.kind === 'failed' ? outcome.error.reason : outcome?.kind))).toEqual(
      items.map((_, i) => (i < 8 ? 'done' : i === 39 ? 'DEADLINE_EXCEEDED' : 'CLIENT_CANCELLED')),
    );
  });

  it('are given before a drain ends', async () => {
    const { clock, batcher, crowd } = setup(() => 100 * US);
    const items = crowd(40);
    clock.runUntil(() => doneOf(items).length > 0);
    let drained = false;
    const drain = batcher.drain(1000).then(() => {
      drained = true;
    });
    await Promise.resolve();
    expect(drained).toBe(false);
    clock.runUntil(() => doneOf(items).length === 40);
    await drain;
    expect(drained).toBe(true);
  });

  it('reach everyone once with their own rows, over 500 random schedules', () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seeded(seed);
      const slots = 1 + Math.floor(random() * 3);
      const meanUs = [1, 20, 100, 600][Math.floor(random() * 4)] as number;
      const order = { preserveOrdering: random() < 0.3, sloMs: random() < 0.3 ? 20 : 0 };
      const pace = () => random() * 2 * meanUs * US;
      const { clock, batcher, send, settled } = setup(pace, { slots, serviceNs: () => random() * 5 * MS }, order);
      const items: Item[] = [];
      for (let i = 0; i < 150; i++) {
        if (random() < 0.2) clock.advance(random() * 2 * MS);
        items.push(send(i, random() < 0.1 ? { deadlineNs: clock.nowNs() + (1 + random() * 10) * MS } : {}));
        const other = items[Math.floor(random() * items.length)] as Item;
        if (random() < 0.1) batcher.cancel(other);
      }
      clock.runUntil(() => settled.length === 150);
      for (const [i, { outcome, value }] of items.entries()) {
        expect(outcome?.kind === 'done' ? value : i, `seed ${seed}`).toBe(i);
      }
      clock.advance(100 * MS);
      expect(clock.timers, `seed ${seed}`).toBeLessThanOrEqual(1);
    }
  });
});
