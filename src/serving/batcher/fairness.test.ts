import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy } from '../../../test/support/specs.js';
import {
  type Batch,
  type BatchPolicy,
  type CostModel,
  linearCurve,
  NO_DEADLINE,
  ServingError,
  type Tenant,
} from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

const MS = 1e6;
const [CRITICAL, DEFAULT, SHEDDABLE] = [1, 2, 4];
const tenant = (name: string, weight = 1): Tenant => ({ name, weight, index: name.charCodeAt(0) });
const [A, B] = [tenant('a'), tenant('b')];

interface Asked extends QueueItem {
  outcome: MemberOutcome | undefined;
}

interface Options {
  readonly batching?: Partial<BatchPolicy>;
  readonly maxQueueSize?: number;
  readonly costs?: CostModel;
  /** By the name of the first member. */
  readonly serviceNs?: (name: string) => number;
}

function setup({ batching = {}, maxQueueSize = 1000, costs, serviceNs }: Options = {}) {
  const clock = new FakeClock();
  const names = new Map<unknown, string>();
  const timed = serviceNs && { serviceNs: (batch: Batch) => serviceNs(names.get(batch.members[0]) ?? '') };
  const executor = new FakeExecutor({ clock, compute: () => [], ...timed });
  const spec = modelSpec({ maxBatchSize: 4, batching: policy({ maxBatchSize: 4, ...batching }), outputs: [] });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize, ...(costs && { costs }) });
  function ask(name: string, more: Partial<QueueItem> & { readonly rows?: number } = {}): Asked {
    const { rows = 1, ...rest } = more;
    const asked: Asked = {
      member: { inputs: [], rows },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: clock.nowNs(),
      outcome: undefined,
      settle(outcome) {
        asked.outcome = outcome;
      },
      ...rest,
    };
    names.set(asked.member, name);
    try {
      batcher.enqueue(asked);
    } catch (thrown) {
      if (!(thrown instanceof ServingError)) throw thrown;
      asked.outcome = { kind: 'failed', error: thrown, execution: 0 };
    }
    return asked;
  }
  const batch = (i: number) => executor.executions[i]?.batch.members.map((member) => names.get(member)).join(' ');
  const finish = () => executor.executions.at(-1)?.finish([]);
  return { clock, executor, batcher, ask, batch, finish };
}

const failure = ({ outcome }: Asked) => (outcome?.kind === 'failed' ? outcome.error : undefined);

describe('tenants', () => {
  it('share each batch, however many requests one of them has waiting', () => {
    const { ask, batch, finish } = setup();
    ask('first');
    for (let i = 0; i < 20; i++) ask(`a${i}`, { tenant: A });
    for (let i = 0; i < 4; i++) ask(`b${i}`, { tenant: B });
    finish();
    finish();
    finish();
    expect([batch(1), batch(2), batch(3)]).toEqual(['a0 b0 a1 b1', 'a2 b2 a3 b3', 'a4 a5 a6 a7']);
  });

  it('are served as their weights say, by the device time of what they ask for', () => {
    const { ask, executor, batch, finish } = setup({ batching: { maxBatchSize: 1 } });
    const heavy = tenant('h', 3);
    ask('first');
    for (let i = 0; i < 30; i++) {
      ask('h', { tenant: heavy });
      ask('b', { tenant: B });
    }
    for (let i = 0; i < 20; i++) finish();
    const served = executor.executions.slice(1).map((_, i) => batch(i + 1));
    expect(served.filter((name) => name === 'h')).toHaveLength(15);
  });

  it('pay in device time: where requests of one take longer, fewer of them are served', () => {
    const { clock, ask, executor, batch } = setup({
      batching: { maxBatchSize: 1 },
      serviceNs: (name) => (name === 'dear' ? 3 : 1) * MS,
    });
    for (let i = 0; i < 200; i++) {
      ask('dear', { tenant: A, key: 'long' });
      ask('cheap', { tenant: B, key: 'short' });
    }
    clock.advance(240 * MS);
    const served = executor.executions.map((_, i) => batch(i));
    const dear = served.filter((name) => name === 'dear').length;
    expect([dear, served.length - dear]).toEqual([expect.closeTo(40, -0.7), expect.closeTo(120, -1)]);
  });

  it('one alone is served as if there were none', () => {
    const order = (whose: Tenant | undefined) => {
      const { ask, executor, batch, finish } = setup();
      const random = seeded(3);
      for (let i = 0; i < 100; i++) {
        const rows = 1 + Math.floor(random() * 4);
        const deadlineNs = 1e9 + Math.floor(random() * 1e9);
        ask(`${i}`, { rows, deadlineNs, ...(whose && { tenant: whose }) });
        if (random() < 0.4) finish();
      }
      while (executor.busy > 0) finish();
      return executor.executions.map((_, i) => batch(i));
    };
    expect(order(tenant('x', 7))).toEqual(order(undefined));
  });
});

describe('a full queue', () => {
  const waiting = (asked: readonly Asked[]) => asked.filter(({ outcome }) => outcome === undefined).length;

  it('keeps a share for each tenant: one that floods loses its newest to who has less', () => {
    const { ask } = setup({ maxQueueSize: 10 });
    ask('running');
    const flood = Array.from({ length: 30 }, (_, i) => ask(`a${i}`, { tenant: A }));
    expect(waiting(flood)).toBe(10);
    expect(failure(flood[10] as Asked)?.message).toBe('the queue is full: 10 requests wait, at most 10 may');
    const late = Array.from({ length: 8 }, (_, i) => ask(`b${i}`, { tenant: B }));
    expect([waiting(flood), waiting(late)]).toEqual([5, 5]);
    expect(flood.slice(0, 5).every(({ outcome }) => outcome === undefined)).toBe(true);
    const displaced = failure(flood[9] as Asked);
    expect(displaced?.reason).toBe('QUEUE_FULL');
    expect(displaced?.message).toContain('gave its place in the full queue to a tenant that has less of it');
    expect(displaced?.retryAfterMs).toBeGreaterThan(0);
    expect(failure(late[5] as Asked)?.message).toContain("; requests of tenant 'b' have their share of it");
  });

  it('divides a bound of a priority level as well', () => {
    const own = { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 4 } as const;
    const { ask } = setup({
      batching: { priorityLevels: 2, defaultPriorityLevel: 2, priorityQueuePolicies: new Map([[2, own]]) },
    });
    ask('running');
    const flood = Array.from({ length: 6 }, () => ask('a', { tenant: A }));
    const others = Array.from({ length: 2 }, () => ask('a1', { tenant: A, priority: 1 }));
    const late = Array.from({ length: 3 }, () => ask('b', { tenant: B }));
    expect([waiting(flood), waiting(others), waiting(late)]).toEqual([2, 2, 2]);
  });

  it('refuses what matters less first, whoever came first', () => {
    const { ask } = setup({ maxQueueSize: 4 });
    ask('running');
    const sheddable = Array.from({ length: 4 }, () => ask('s', { criticality: SHEDDABLE }));
    const usual = Array.from({ length: 3 }, () => ask('d'));
    const critical = Array.from({ length: 3 }, () => ask('c', { criticality: CRITICAL }));
    const more = [ask('d'), ask('s', { criticality: SHEDDABLE })];
    expect([sheddable, usual, critical, more].map(waiting)).toEqual([0, 1, 3, 0]);
    expect(failure(sheddable[3] as Asked)?.message).toContain(
      'gave its place in the full queue to one that matters more (criticality sheddable',
    );
  });

  it('does not let one tenant push another out by calling all critical', () => {
    const { ask } = setup({ maxQueueSize: 6 });
    ask('running');
    const honest = Array.from({ length: 3 }, () => ask('b', { tenant: B, criticality: SHEDDABLE }));
    const loud = Array.from({ length: 9 }, () => ask('a', { tenant: A, criticality: CRITICAL }));
    expect([waiting(honest), waiting(loud)]).toEqual([3, 3]);
  });

  it('displaces nobody where replies keep the order of requests', () => {
    const { ask } = setup({ maxQueueSize: 4, batching: { preserveOrdering: true } });
    ask('running');
    const first = Array.from({ length: 4 }, () => ask('s', { criticality: SHEDDABLE }));
    expect(failure(ask('c', { criticality: CRITICAL }))?.reason).toBe('QUEUE_FULL');
    expect(waiting(first)).toBe(4);
  });
});

describe('time that is not enough for all', () => {
  const curve = linearCurve(1, 1);
  const costs: CostModel = { curve: () => curve, observe() {} };
  const slo = { batching: { sloMs: 20 }, costs };
  const outcomes = (asked: readonly Asked[]) => asked.map((one) => failure(one)?.reason ?? 'waits');

  it('is taken from those that matter less, the newest first, and only as much as is needed', () => {
    const { ask } = setup(slo);
    ask('running');
    const sheddable = Array.from({ length: 40 }, () => ask('s', { criticality: SHEDDABLE }));
    const taken = sheddable.filter((one) => failure(one) === undefined);
    expect(taken.length).toBeGreaterThan(4);
    expect(taken.length).toBeLessThan(40);
    const critical = ask('c', { criticality: CRITICAL });
    expect(failure(critical)).toBeUndefined();
    expect(outcomes(taken)).toEqual([...taken.slice(1).map(() => 'waits'), 'OVERLOADED']);
    expect(failure(taken.at(-1) as Asked)?.message).toContain('gave its time to one that matters more');
    const many = Array.from({ length: 40 }, () => ask('c', { criticality: CRITICAL }));
    expect(new Set(outcomes(taken))).toEqual(new Set(['OVERLOADED']));
    expect(outcomes(many).filter((outcome) => outcome === 'waits').length).toBe(taken.length - 1);
    expect(failure(ask('d'))?.reason).toBe('OVERLOADED');
  });

  it('is kept for a tenant that asks for less than its share beside one that floods', () => {
    const { ask, batch, finish } = setup(slo);
    ask('running');
    const flood = Array.from({ length: 40 }, () => ask('a', { tenant: A }));
    expect(outcomes(flood)).toContain('OVERLOADED');
    const late = [ask('b', { tenant: B }), ask('b', { tenant: B })];
    expect(outcomes(late)).toEqual(['waits', 'waits']);
    finish();
    expect(batch(1)).toBe('a b a b');
  });

  it('shows who waits and what was refused', () => {
    const { ask, batcher } = setup({ maxQueueSize: 4 });
    ask('running');
    const heavy = tenant('a', 3);
    for (let i = 0; i < 5; i++) ask('a', { tenant: heavy, criticality: SHEDDABLE });
    ask('b', { tenant: B, criticality: DEFAULT });
    const { tenants, criticality, recent } = batcher.report();
    expect(tenants.map(({ name, weight, waiting, share }) => [name, weight, waiting, share])).toEqual([
      ['a', 3, 3, 0.75],
      ['b', 1, 1, 0.25],
      ['', 1, 0, 0],
    ]);
    expect(criticality).toEqual([
      { level: 'default', started: 1, refused: 0 },
      { level: 'sheddable', started: 0, refused: 2 },
    ]);
    expect(recent.map(({ kind }) => kind)).toContain('drop');
  });
});
