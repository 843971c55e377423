import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy } from '../../../test/support/specs.js';
import { type Batch, linearCurve, NO_DEADLINE, ServingError, type Tenant, type Tensor } from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from './index.js';

/** Schedules run by the first test, and by the second, which are longer; `PENSTOCK_SEED=n` replays one. */
const SCHEDULES = 4000;
const LONG_SCHEDULES = 800;
const REPLAY = process.env.PENSTOCK_SEED;
const US = 1000;
const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };

const tenantsOf = (weights: readonly number[]): Tenant[] =>
  weights.map((weight, i) => ({ name: `t${i}`, weight, index: i + 2 }));

function each(schedules: number, run: (seed: number) => void): void {
  for (let i = 0; i < schedules; i++) {
    const seed = REPLAY === undefined ? i : Number(REPLAY);
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed} fails; PENSTOCK_SEED=${seed} replays it`, { cause: error });
    }
  }
}

describe('thousands of random schedules of several tenants', () => {
  it('lose nothing, answer nothing twice, keep the bound of the queue, and starve nobody', { timeout: 120_000 }, () => {
    let [answered, displaced] = [0, 0];
    each(SCHEDULES, (seed) => {
      const counts = anySchedule(seed);
      answered += counts.answered;
      displaced += counts.displaced;
    });
    // A generator that makes no requests, or fills no queue, would pass everything else.
    expect(answered).toBeGreaterThan(SCHEDULES * 10);
    expect(displaced).toBeGreaterThan(SCHEDULES);
  });

  it('give each backlogged tenant its share of the rows, but for the requests of one turn', { timeout: 120_000 }, () =>
    each(LONG_SCHEDULES, shareSchedule),
  );
});

/** Tenants that always have requests waiting: what each was given is compared with its weight all along. */
function shareSchedule(seed: number): void {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const tenants = tenantsOf(Array.from({ length: 2 + upTo(5) }, () => 1 + upTo(4)));
  const maxBatchSize = [1, 4, 16][upTo(3)] as number;
  const mostRows = 1 + upTo(Math.min(maxBatchSize, 4));
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, slots: 1 + upTo(2), serviceNs: ({ rows }) => rows * US });
  const batcher = new Batcher({
    spec: modelSpec({ maxBatchSize, batching: policy({ maxBatchSize }) }),
    executor,
    clock,
    metrics,
    maxQueueSize: 100_000,
  });
  const served = tenants.map(() => 0);
  const waiting = tenants.map(() => 0);
  const send = (who: number): void => {
    const rows = 1 + upTo(mostRows);
    waiting[who] = (waiting[who] as number) + 1;
    const settle = () => {};
    const member = { inputs: [tensorOf(who, rows)], rows };
    const item = { member, key: '', priority: 0, timeoutUs: 0, deadlineNs: NO_DEADLINE, enqueuedNs: clock.nowNs() };
    batcher.enqueue({ ...item, tenant: tenants[who] as Tenant, settle });
  };
  const execute = executor.execute.bind(executor);
  let counted = false;
  executor.execute = (batch, settle) => {
    for (const { inputs, rows } of batch.members) {
      const who = inputs[0]?.data[0] as number;
      waiting[who] = (waiting[who] as number) - 1;
      if (counted) served[who] = (served[who] as number) + rows;
    }
    return execute(batch, settle);
  };
  const fill = () =>
    tenants.forEach((_, who) => void Array.from({ length: 40 - (waiting[who] as number) }, () => send(who)));
  // What runs first is what came first; from then on all are backlogged.
  send(0);
  fill();
  clock.advance(50 * US);
  fill();
  counted = true;
  const weights = tenants.reduce((sum, { weight }) => sum + weight, 0);
  for (let step = 0; step < 60; step++) {
    clock.advance(10 * US);
    const total = served.reduce((a, b) => a + b, 0);
    for (const [who, { weight }] of tenants.entries()) {
      // The turn of one request each, and what did not fit into a batch.
      const turn =
        Math.max(1, ((tenants.length - 1) * weight) / weights) * mostRows + (mostRows > 1 ? maxBatchSize : 0);
      const least = (total * weight) / weights - turn - mostRows;
      assert.ok((served[who] as number) >= least, `tenant ${who} had ${served[who]} of ${total}, less than ${least}`);
    }
    fill();
  }
  assert.ok(served.every((rows) => rows > 0));
}

interface Tracked {
  readonly item: QueueItem;
  readonly input: Tensor;
  state: 'waiting' | 'running' | 'settled';
}

/** Anything that can happen, by chance; checked at every step. */
function anySchedule(seed: number): { answered: number; displaced: number } {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[upTo(values.length)] as T;
  const clock = new FakeClock();
  const tenants = tenantsOf(Array.from({ length: 1 + upTo(4) }, () => oneOf([1, 1, 2, 5])));
  const maxBatchSize = oneOf([1, 4, 16]);
  const maxQueueSize = oneOf([4, 12, 1000]);
  const sloMs = oneOf([0, 0, 1, 5]);
  const levels = oneOf([0, 0, 2]);
  const keys = oneOf([[''], [''], ['', 'b', 'c']]);
  const curve = linearCurve(oneOf([0.05, 0.2]), oneOf([0.001, 0.05]), oneOf([0, 0.1]));
  const slots = 1 + upTo(3);
  const executor = new FakeExecutor({ clock, slots, serviceNs: ({ rows }) => curve.meanNs(rows) });
  const batching = policy({ maxBatchSize, sloMs, priorityLevels: levels, defaultPriorityLevel: levels });
  const costs = random() < 0.5 ? { costs: { curve: () => curve, observe() {} } } : {};
  const spec = modelSpec({ maxBatchSize, batching });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize, ...costs });
  const all: Tracked[] = [];
  const byMember = new Map<unknown, Tracked>();
  let [answered, displaced] = [0, 0];
  const waits = () => all.filter(({ state }) => state === 'waiting');
  const partOf = (whose: Tenant, more = 0) =>
    (waits().filter(({ item }) => item.tenant === whose).length + more) / whose.weight;

  const execute = executor.execute.bind(executor);
  executor.execute = (batch, settle) => {
    checkBatch(batch);
    return execute(batch, settle);
  };

  function checkBatch({ members, rows }: Batch): void {
    assert.ok(rows <= maxBatchSize);
    const own = members.map((member) => byMember.get(member) as Tracked);
    for (const one of own) {
      assert.equal(one.state, 'waiting');
      assert.equal(one.item.key, own[0]?.item.key);
      one.state = 'running';
    }
    // Within a tenant and a level nobody of the same shape goes before one that is wanted earlier and would have fitted.
    const order = ({ item }: Tracked) =>
      'costs' in costs ? Math.min(wantedNs(item), item.enqueuedNs + 1e9) : item.enqueuedNs;
    for (const last of own)
      for (const one of waits()) {
        const { tenant, priority, key, member } = one.item;
        if (tenant !== last.item.tenant || priority !== last.item.priority || key !== last.item.key) continue;
        assert.ok(
          order(one) >= order(last) || member.rows > last.item.member.rows || wantedNs(one.item) <= clock.nowNs(),
        );
      }
  }

  const wantedNs = ({ enqueuedNs, deadlineNs }: QueueItem) =>
    Math.min(deadlineNs, sloMs > 0 ? enqueuedNs + sloMs * 1e6 : NO_DEADLINE);

  function settle(one: Tracked, outcome: MemberOutcome): void {
    assert.notEqual(one.state, 'settled');
    const waited = one.state === 'waiting';
    one.state = 'settled';
    if (outcome.kind === 'done') {
      answered++;
      assert.ok(!waited);
      assert.deepEqual(outcome.outputs[0]?.data, one.input.data);
    } else if (outcome.error.message.includes('full queue')) {
      displaced++;
      assert.ok(waited && (outcome.error.retryAfterMs ?? 1) >= 1);
      // The newcomer, which counts already, has no larger part than the one that gave way had.
      const newcomer = all.at(-1) as Tracked;
      const whose = one.item.tenant as Tenant;
      if (newcomer.item.tenant !== whose) assert.ok(partOf(whose, 1) > partOf(newcomer.item.tenant as Tenant));
      else assert.ok((one.item.criticality as number) > (newcomer.item.criticality as number));
      for (const other of waits())
        if (other.item.tenant === whose && other !== newcomer)
          assert.ok((other.item.criticality as number) <= (one.item.criticality as number));
    } else if (outcome.error.message.includes('gave its time')) {
      const newcomer = all.at(-1) as Tracked;
      assert.equal(newcomer.item.tenant, one.item.tenant);
      assert.ok((newcomer.item.criticality as number) < (one.item.criticality as number));
    }
  }

  function arrive(): void {
    const rows = 1 + (random() < 0.8 ? 0 : upTo(maxBatchSize));
    const now = clock.nowNs();
    const input = tensorOf(all.length % 251, rows);
    const one: Tracked = {
      input,
      state: 'waiting',
      item: {
        member: { inputs: [input], rows },
        key: oneOf(keys),
        priority: levels === 0 ? 0 : 1 + upTo(levels),
        timeoutUs: 0,
        deadlineNs: random() < 0.2 ? now + 1 + upTo(8000 * US) : NO_DEADLINE,
        enqueuedNs: now,
        tenant: random() < 0.5 ? (tenants[0] as Tenant) : oneOf(tenants),
        criticality: oneOf([1, 2, 2, 4]),
        settle: (outcome) => settle(one, outcome),
      },
    };
    all.push(one);
    byMember.set(one.item.member, one);
    try {
      batcher.enqueue(one.item);
    } catch (thrown) {
      assert.ok(thrown instanceof ServingError && one.state === 'waiting');
      one.state = 'settled';
      if (thrown.reason === 'QUEUE_FULL') refusedForRoom(one);
    }
    if (random() < 0.05)
      clock.setTimer(now + upTo(2000 * US), () => one.state !== 'settled' && batcher.cancel(one.item));
  }

  /** Nobody has more of the queue than who was refused, and nobody of its tenant matters less. */
  function refusedForRoom({ item }: Tracked): void {
    const own = partOf(item.tenant as Tenant, 1);
    for (const other of tenants) if (other !== item.tenant) assert.ok(partOf(other) <= own);
    for (const one of waits())
      if (one.item.tenant === item.tenant) assert.ok((one.item.criticality as number) <= (item.criticality as number));
  }

  const check = () => {
    assert.equal(batcher.depth, waits().length);
    assert.ok(batcher.depth <= maxQueueSize && executor.busy <= slots);
  };
  const gapUs = oneOf([1, 20, 200]);
  let atNs = 0;
  const requests = 20 + upTo(60);
  for (let i = 0; i < requests; i++) {
    if (random() < 0.8) atNs += upTo(2 * gapUs * US);
    clock.setTimer(atNs, () => {
      arrive();
      check();
    });
  }
  // Whoever was taken is answered in bounded time, whoever else floods.
  clock.runUntil(
    () => all.length === requests && all.every(({ state }) => state === 'settled') && executor.busy === 0,
    20_000,
  );
  return { answered, displaced };
}

function tensorOf(id: number, rows: number): Tensor {
  return { name: 'x', dataType: 'UINT8', shape: [rows, 2], data: Uint8Array.from({ length: rows * 2 }, () => id) };
}
