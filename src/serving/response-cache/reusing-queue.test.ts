import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { fp32, modelSpec } from '../../../test/support/specs.js';
import { NO_DEADLINE, type Reason, ServingError, type Tensor } from '../../core/index.js';
import type { MemberDone, MemberOutcome, QueueItem, RequestQueue } from '../batcher/index.js';
import { ResponseCache } from './response-cache.js';
import { ReusingQueue } from './reusing-queue.js';

const floats = ({ data }: Tensor) => [...new Float32Array(data.slice().buffer)];

/** A queue whose requests a test answers. */
class Behind implements RequestQueue {
  readonly items: QueueItem[] = [];
  taken = 0;
  full = false;

  enqueue(item: QueueItem): void {
    if (this.full) throw new ServingError('QUEUE_FULL', 'the queue is full');
    this.taken++;
    this.items.push(item);
  }

  cancel(item: QueueItem): void {
    this.fail('CLIENT_CANCELLED', this.items.indexOf(item));
  }

  /** By twice what came, in memory that is another's at once. */
  answer(at = 0): void {
    const [item] = this.items.splice(at, 1);
    const input = item?.member.inputs[0]?.data as Uint8Array;
    const output = fp32(
      'y',
      [1, 2],
      [...new Float32Array(input.slice().buffer)].map((value) => 2 * value),
    );
    item?.settle({
      kind: 'done',
      outputs: [output],
      execution: 3,
      deviceNs: 70,
      cost: 7,
      queueNs: 1,
      gatherNs: 2,
      dispatchNs: 3,
      computeNs: 4,
      batchRows: 4,
      device: -1,
      batchRequests: 2,
      paddingShare: 0.5,
      batchFinishedNs: 100,
    });
    output.data.fill(0xdb);
  }

  fail(reason: Reason, at = 0): void {
    const [item] = this.items.splice(at, 1);
    item?.settle({ kind: 'failed', error: new ServingError(reason, reason), execution: 2 });
  }
}

class Item implements QueueItem {
  readonly member;
  readonly key = '';
  readonly timeoutUs = 0;
  readonly enqueuedNs = 0;
  readonly outcomes: MemberOutcome[] = [];
  values: number[] = [];
  readonly priority: number;
  readonly criticality: number;
  readonly deadlineNs: number;

  constructor(value: number, { priority = 0, criticality = 2, deadlineNs = NO_DEADLINE } = {}) {
    this.member = { inputs: [fp32('x', [1, 2], [value, 0])], rows: 1 };
    this.priority = priority;
    this.criticality = criticality;
    this.deadlineNs = deadlineNs;
  }

  settle(outcome: MemberOutcome): void {
    this.outcomes.push(outcome);
    if (outcome.kind === 'done') this.values = floats(outcome.outputs[0] as Tensor);
  }

  get reason(): string | undefined {
    const [outcome] = this.outcomes;
    return outcome?.kind === 'failed' ? outcome.error.reason : outcome?.kind;
  }

  get reused(): MemberDone['reused'] {
    return (this.outcomes[0] as MemberDone).reused;
  }
}

function setup({ cache = false, coalesce = false, maxFollowing = 100 } = {}) {
  const behind = new Behind();
  const clock = new FakeClock();
  const counted = { hits: 0, misses: 0, followers: 0 };
  const shared = new ResponseCache(1e6);
  const shelf = cache ? shared.shelf() : undefined;
  const queue = new ReusingQueue({
    queue: behind,
    spec: modelSpec(),
    clock,
    metrics: {
      cacheHit: () => counted.hits++,
      cacheMiss: () => counted.misses++,
      coalesced: () => counted.followers++,
    },
    shelf,
    coalesce,
    maxFollowing,
  });
  const send = (...items: Item[]) => {
    for (const item of items) queue.enqueue(item);
  };
  return { behind, clock, counted, shelf, queue, send };
}

describe('answers that are kept', () => {
  it('are given at once to identical requests, and told apart from computed ones', () => {
    const { behind, counted, send } = setup({ cache: true });
    const [first, second, other] = [new Item(1), new Item(1), new Item(2)];
    send(first);
    behind.answer();
    send(second, other);
    expect(first.outcomes).toMatchObject([{ kind: 'done', execution: 3, deviceNs: 70, cost: 7 }]);
    expect(first.reused).toBeUndefined();
    expect(second.outcomes).toMatchObject([
      { kind: 'done', execution: 0, deviceNs: 0, cost: 0, computeNs: 0, batchRows: 1, reused: 'cached' },
    ]);
    expect([first.values, second.values, other.outcomes]).toEqual([[2, 0], [2, 0], []]);
    expect(counted).toEqual({ hits: 1, misses: 1, followers: 0 });
  });

  it('are none of requests that failed, and none once the version is gone', () => {
    const { behind, shelf, send } = setup({ cache: true });
    send(new Item(1));
    behind.fail('BACKEND_FAILED');
    send(new Item(1));
    behind.answer();
    shelf?.clear();
    send(new Item(1));
    expect(behind.taken).toBe(3);
  });

  it('do not stand in the way of a refusal', () => {
    const { behind, queue } = setup({ cache: true, coalesce: true });
    behind.full = true;
    expect(() => queue.enqueue(new Item(1))).toThrow(/the queue is full/);
    behind.full = false;
    queue.enqueue(new Item(1));
    expect(behind.taken).toBe(1);
  });
});

describe('requests of sequences', () => {
  it('are computed each, whatever is kept of others', () => {
    const { behind, queue, send } = setup({ cache: true, coalesce: true });
    send(new Item(1));
    behind.answer();
    const items = [0, 1].map(() =>
      Object.assign(new Item(1), { sequence: { id: 5n, start: false, end: false } as never }),
    );
    send(...items);
    expect(behind.items).toEqual(items);
    queue.cancel(items[0] as Item);
    expect(items[0]?.reason).toBe('CLIENT_CANCELLED');
  });
});

describe('identical requests in flight', () => {
  it('are computed once, and all are answered', () => {
    const { behind, counted, send } = setup({ coalesce: true });
    const items = [new Item(1), new Item(1), new Item(1)];
    send(...items, new Item(2));
    expect(behind.taken).toBe(2);
    behind.answer();
    expect(items.map(({ values, reused }) => [values, reused])).toEqual([
      [[2, 0], undefined],
      [[2, 0], 'coalesced'],
      [[2, 0], 'coalesced'],
    ]);
    expect(items[1]?.outcomes).toMatchObject([{ deviceNs: 0, cost: 0, execution: 0, queueNs: 100 }]);
    expect(counted).toEqual({ hits: 0, misses: 0, followers: 2 });
    send(new Item(1));
    expect(behind.taken).toBe(3);
  });

  it.each<Reason>(['CLIENT_CANCELLED', 'DEADLINE_EXCEEDED', 'QUEUE_FULL', 'OVERLOADED'])(
    'go on by the next one where the first ends by %s',
    (reason) => {
      const { behind, send } = setup({ coalesce: true });
      const items = [new Item(1), new Item(1), new Item(1)];
      send(...items);
      behind.fail(reason);
      expect(items.map((item) => item.reason)).toEqual([reason, undefined, undefined]);
      behind.answer();
      expect(items.map((item) => item.reason)).toEqual([reason, 'done', 'done']);
      expect(items.slice(1).map((item) => item.reused)).toEqual([undefined, 'coalesced']);
    },
  );

  it.each<Reason>(['BACKEND_FAILED', 'OUTPUT_SHAPE_MISMATCH', 'EXECUTOR_LOST', 'DRAINING'])(
    'fail together by %s',
    (reason) => {
      const { behind, send } = setup({ coalesce: true });
      const items = [new Item(1), new Item(1)];
      send(...items);
      behind.fail(reason);
      expect(items.map((item) => item.reason)).toEqual([reason, reason]);
      expect(behind.items).toEqual([]);
    },
  );

  it('are refused one by one where none of them can be taken any more', () => {
    const { behind, send } = setup({ coalesce: true });
    const items = [new Item(1), new Item(1), new Item(1)];
    send(...items);
    behind.full = true;
    behind.fail('CLIENT_CANCELLED');
    expect(items.map((item) => item.reason)).toEqual(['CLIENT_CANCELLED', 'QUEUE_FULL', 'QUEUE_FULL']);
  });

  it('keep each its own deadline and its own cancellation', () => {
    const { behind, clock, queue, send } = setup({ coalesce: true });
    const [first, late, gone, patient] = [new Item(1), new Item(1, { deadlineNs: 50 }), new Item(1), new Item(1)];
    send(first, late, gone, patient);
    queue.cancel(gone);
    clock.advanceTo(50);
    expect([late.reason, gone.reason, patient.reason]).toEqual(['DEADLINE_EXCEEDED', 'CLIENT_CANCELLED', undefined]);
    queue.cancel(first);
    behind.answer();
    expect([first.reason, patient.reason, patient.reused]).toEqual(['CLIENT_CANCELLED', 'done', undefined]);
    expect(clock.timers).toBe(0);
  });

  it('do not wait for one that matters less, or has another priority', () => {
    const { behind, send } = setup({ coalesce: true });
    send(new Item(1), new Item(1, { criticality: 1 }), new Item(1, { priority: 1 }), new Item(1, { criticality: 3 }));
    expect(behind.taken).toBe(3);
  });

  it('wait in a bounded number', () => {
    const { behind, send } = setup({ coalesce: true, maxFollowing: 1 });
    send(new Item(1), new Item(1), new Item(1));
    expect(behind.taken).toBe(2);
  });

  it('settle once each, and leave nothing behind, whatever happens in whatever order', () => {
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('send' as const), value: fc.nat(2), deadline: fc.nat(40) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), at: fc.nat() }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('fail' as const),
          at: fc.nat(),
          reason: fc.constantFrom<Reason>('OVERLOADED', 'BACKEND_FAILED'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), at: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.boolean(), (actions, cache) => {
        const { behind, clock, queue } = setup({ coalesce: true, cache });
        const items: Item[] = [];
        for (const step of actions) {
          if (step.kind === 'send') {
            const deadlineNs = step.deadline === 0 ? NO_DEADLINE : clock.nowNs() + step.deadline;
            const item = new Item(step.value, { deadlineNs });
            items.push(item);
            queue.enqueue(item);
          } else if (step.kind === 'tick') clock.advanceTo(clock.nowNs() + 10);
          else if (step.kind === 'cancel') {
            const item = items[step.at % Math.max(items.length, 1)];
            if (item?.outcomes.length === 0) queue.cancel(item);
          } else if (behind.items.length > 0) {
            const at = step.at % behind.items.length;
            if (step.kind === 'answer') behind.answer(at);
            else behind.fail(step.reason, at);
          }
        }
        while (behind.items.length > 0) behind.answer();
        for (const item of items) {
          expect(item.outcomes).toHaveLength(1);
          const input = floats(item.member.inputs[0] as Tensor);
          if (item.reason === 'done') expect(item.values).toEqual(input.map((value) => 2 * value));
        }
        expect(clock.timers).toBe(0);
      }),
    );
  });
});
