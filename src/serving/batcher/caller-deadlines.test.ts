import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32, modelSpec, policy } from '../../../test/support/specs.js';
import { type BatchPolicy, type CostModel, linearCurve, NO_DEADLINE, ServingError } from '../../core/index.js';
import { Batcher, LearnedCost, type MemberOutcome, type QueueItem } from './index.js';

const MS = 1e6;
const X = fp32('x', [1, 1]);
const curve = linearCurve(10, 0.5);

interface Options {
  readonly slots?: number;
  readonly costs?: CostModel | undefined;
  readonly batching?: Partial<BatchPolicy>;
}

/** A version without an SLO, whose callers may have deadlines. */
function setup({ slots = 1, costs, batching: changes = {} }: Options) {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, slots, serviceNs: ({ rows }) => curve.meanNs(rows) });
  const batching = policy({ maxBatchSize: 16, ...changes });
  const batcher = new Batcher({
    spec: modelSpec({ maxBatchSize: batching.maxBatchSize, batching }),
    executor,
    clock,
    metrics: { executed() {}, setQueueDepth() {} },
    maxQueueSize: 10_000,
    ...(costs === undefined ? {} : { costs }),
  });
  const events: string[] = [];
  let sent = 0;
  function send(deadlineMs?: number, changed: Partial<QueueItem> = {}): void {
    const name = sent++;
    const enqueuedNs = clock.nowNs();
    const settle = (outcome: MemberOutcome) => {
      const what = outcome.kind === 'failed' ? outcome.error.reason : 'done';
      events.push(`${name} ${what} ${Math.round(clock.nowNs() / MS)}`);
    };
    const deadlineNs = deadlineMs === undefined ? NO_DEADLINE : enqueuedNs + deadlineMs * MS;
    const item = { member: { inputs: [X], rows: 1 }, key: '', priority: 0, timeoutUs: 0, deadlineNs, enqueuedNs };
    try {
      batcher.enqueue({ ...item, settle, ...changed });
    } catch (thrown) {
      if (!(thrown instanceof ServingError)) throw thrown;
      events.push(`${name} refused ${thrown.reason}`);
    }
  }
  const batches = () => executor.executions.map(({ batch }) => batch.rows);
  return { clock, executor, batcher, events, send, batches };
}

const known: CostModel = { curve: () => curve, observe: () => {} };

describe('a model without an SLO', () => {
  it('treats callers without deadlines as Triton does, whatever it has learned', () => {
    const arrival = fc.record({
      gapMs: fc.double({ min: 0, max: 30, noNaN: true }),
      priority: fc.integer({ min: 0, max: 3 }),
      key: fc.constantFrom('', 'a'),
      timeoutUs: fc.constantFrom(0, 0, 30_000),
    });
    const knobs = fc.record({
      maxQueueDelayUs: fc.constantFrom(0, 5000),
      preferredBatchSizes: fc.constantFrom([], [4, 8]),
      priorityLevels: fc.constantFrom(0, 2),
      dynamic: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(arrival, { minLength: 1, maxLength: 80 }),
        knobs,
        fc.integer({ min: 1, max: 3 }),
        (...given) => {
          const [arrivals, changes, slots] = given;
          const batching = {
            ...changes,
            defaultPriorityLevel: changes.priorityLevels === 0 ? 0 : 1,
            defaultQueuePolicy: {
              timeoutAction: 'REJECT' as const,
              defaultTimeoutUs: 60_000,
              allowTimeoutOverride: true,
              maxQueueSize: 0,
            },
          };
          const [first, second] = [undefined, new LearnedCost()].map((costs) => {
            const { clock, events, send, batches } = setup({ slots, costs, batching });
            for (const { gapMs, ...changed } of arrivals) {
              clock.advance(gapMs * MS);
              send(undefined, changed);
            }
            clock.advance(5000 * MS);
            return { events, batches: batches() };
          });
          expect(second).toEqual(first);
        },
      ),
    );
  });

  it('plans for a caller who has a deadline: first what is wanted first, and no more of the others than leave time for it', () => {
    const { clock, send, events, batches } = setup({ costs: known });
    for (let i = 0; i < 13; i++) send();
    send(27.1);
    clock.advance(200 * MS);
    // One runs alone, then the urgent one and as many with it as end within its time: 10.5 + 10 + 0.5 x 13.
    expect(batches().slice(0, 2)).toEqual([1, 13]);
    expect(events).toContain('13 done 27');
  });

  it('refuses at once what cannot be in time, and takes it where time is not known yet', () => {
    const learned = setup({ costs: known });
    learned.send();
    learned.send(5);
    for (let i = 0; i < 3; i++) learned.send(22);
    for (let i = 0; i < 100; i++) learned.send();
    // Goes before those who have no deadline, but after those whose deadline is earlier.
    learned.send(23);
    expect(learned.events).toEqual(['1 refused DEADLINE_EXCEEDED']);
    for (let i = 0; i < 30; i++) learned.send(23);
    expect(learned.events.at(-1)).toMatch(/refused OVERLOADED/);
    const fresh = setup({ costs: new LearnedCost() });
    fresh.send(5);
    fresh.clock.advance(100 * MS);
    expect(fresh.events).toEqual(['0 DEADLINE_EXCEEDED 5']);
  });

  it('leaves deadlines that are far away to the knobs', () => {
    const { clock, send, batches } = setup({ slots: 2, costs: known, batching: { maxQueueDelayUs: 4000 } });
    for (let i = 0; i < 3; i++) send(60_000);
    clock.advance(3 * MS);
    expect(batches()).toEqual([]);
    clock.advance(2 * MS);
    expect(batches()).toEqual([3]);
  });

  it('never refuses a caller without a deadline for the sake of one who has', () => {
    const traffic = fc.array(
      fc.record({
        gapMs: fc.double({ min: 0, max: 12, noNaN: true }),
        // No run ends at the very instant of a deadline.
        deadlineMs: fc.option(
          fc.integer({ min: 5, max: 120 }).map((ms) => ms + Math.PI / 100),
          { nil: undefined },
        ),
      }),
      { minLength: 20, maxLength: 150 },
    );
    fc.assert(
      fc.property(traffic, fc.integer({ min: 1, max: 3 }), (arrivals, slots) => {
        const { clock, send, events } = setup({ slots, costs: known });
        const patient = new Set<number>();
        arrivals.forEach(({ gapMs, deadlineMs }, i) => {
          clock.advance(gapMs * MS);
          if (deadlineMs === undefined) patient.add(i);
          send(deadlineMs);
        });
        clock.advance(20_000 * MS);
        const answered = events.filter((event) => event.includes(' done ')).map((event) => Number(event.split(' ')[0]));
        return events.length === arrivals.length && [...patient].every((i) => answered.includes(i));
      }),
    );
  });

  it('runs batches no larger than pays where its config says so, and up to the most where it says that', () => {
    const slower = { meanNs: (rows: number) => rows * rows * MS, upperNs: (rows: number) => rows * rows * MS };
    const useless: CostModel = { curve: () => slower, observe: () => {} };
    for (const [batchLimit, rows] of [
      ['auto', 1],
      ['max', 16],
    ] as const) {
      const { clock, send, batches } = setup({ costs: useless, batching: { batchLimit } });
      for (let i = 0; i < 17; i++) send();
      clock.advance(2000 * MS);
      expect(Math.max(...batches())).toBe(rows);
    }
  });
});

describe('instances on several devices', () => {
  it('are planned for by the device that runs next, and learned of by the one that ran', () => {
    const seen: string[] = [];
    const costs: CostModel = {
      curve: (_class, device) => linearCurve(device === 'cuda:0' ? 2 : 40, 0),
      observe: (_class, rows, _ns, _now, device) => void seen.push(`${rows} ${device}`),
    };
    const { clock, send, events, executor } = setup({ slots: 2, costs });
    const places = ['cuda:0', 'cpu:0'];
    Object.assign(executor, { nextDevice: () => places[2 - executor.freeSlots()] });
    const run = executor.execute.bind(executor);
    executor.execute = (batch, settle) => {
      const device = executor.nextDevice?.();
      return { ...run(batch, settle), device };
    };
    send(20);
    // The device that is free now takes 40 ms: too long for 20, soon enough for 60.
    send(20);
    send(60);
    clock.advance(100 * MS);
    expect(events[0]).toBe('1 refused DEADLINE_EXCEEDED');
    expect(events.filter((event) => event.includes('done'))).toHaveLength(2);
    expect(seen.sort()).toEqual(['1 cpu:0', '1 cuda:0']);
  });
});
