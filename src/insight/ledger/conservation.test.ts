import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { ChanceModel, type SeenExecution, sharesOf } from '../../../test/support/metered-lanes.js';
import { type Random, seeded } from '../../../test/support/seeded-random.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import {
  Charges,
  COST_SPLITS,
  type CostLine,
  type LedgerSnapshot,
  NO_DEADLINE,
  ServingError,
  SHADOW_COPY,
  type Tenant,
} from '../../core/index.js';
import { Batcher, LearnedCost, type MemberOutcome, type QueueItem } from '../../serving/batcher/index.js';
import { createExecutor, Devices } from '../../serving/executor/index.js';
import { CostLedger } from './cost-ledger.js';
import { IDLE_POLICIES } from './idle-split.js';

const SCHEDULES = 2000;
const EXACT = 1e-9;
const PRICES: Readonly<Record<string, number>> = { cpu: 0.37, 'cuda:0': 2.49 };

describe(`the ledger over ${SCHEDULES} random schedules of overlaps, failures, cancellations, padding and retries`, () => {
  for (let part = 0; part < 4; part++)
    it(`books every nanosecond of every device once (part ${part + 1})`, { timeout: 120_000 }, async () => {
      const kinds = new Map<string, number>();
      for (let i = 0; i < SCHEDULES / 4; i++) for (const { kind } of await schedule(part * 1e6 + i)) count(kinds, kind);
      // Schedules that never fail, pad or cancel would pass the rest.
      for (const kind of ['direct', 'padding', 'failed', 'retried', 'warm_up', 'canary', 'shadow'])
        expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(10);
    });
});

/** Runs one schedule and checks the ledger all along; its lines at the end. */
async function schedule(seed: number): Promise<readonly CostLine[]> {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const clock = new FakeClock(upTo(1e12));
  const ledger = new CostLedger({
    clock,
    currency: 'EUR',
    split: COST_SPLITS[upTo(3)] as 'rows',
    idle: IDLE_POLICIES[upTo(3)] as 'reserved',
    maxTenants: upTo(4),
    maxRoutes: upTo(3),
    priceOf: (device) => ({ kind: 'market', perHour: PRICES[device] as number }),
    devices: random() < 0.5 ? ['cuda:0'] : [],
  });
  const devices = new Devices({ clock, log: new SilentLog(), meterOf: (name) => ledger.meterOf(name) });
  const seen: SeenExecution[] = [];
  const versions = await Promise.all(
    Array.from({ length: 1 + upTo(3) }, (_, i) => hosted(`m${i}`, { random, clock, ledger, devices, seen })),
  );
  const asked: Asked[] = [];
  let before = ledger.snapshot();
  for (let step = upTo(60); step > 0; step--) {
    const batcher = versions[upTo(versions.length)]?.batcher as Batcher;
    if (random() < 0.6) asked.push(...request(batcher, random, clock));
    else if (random() < 0.2 && asked.length > 0) (asked[upTo(asked.length)] as Asked).cancel();
    else clock.advance(upTo(50_000));
    // Lanes that were lost are made anew by promises.
    if (random() < 0.2) await settled();
    if (random() < 0.2) {
      const now = ledger.snapshot();
      grown(before, now);
      balanced(now);
      before = now;
    }
  }
  for (let i = 0; i < 500 && asked.some(({ outcome }) => outcome === undefined); i++) {
    clock.advance(1e6);
    await settled();
  }
  // Executions that were given up hold their devices until they end.
  for (let i = 0; i < 100 && seen.some(({ toNs }) => Number.isNaN(toNs)); i++) clock.advance(1e6);
  const end = ledger.snapshot();
  grown(before, end);
  balanced(end);
  asDefined(end, seen);
  answersAddUp(end, asked);
  for (const { executor, left } of versions) {
    await executor.stop();
    left();
  }
  devices.stop();
  return end.lines;
}

interface Surroundings {
  readonly random: Random;
  readonly clock: FakeClock;
  readonly ledger: CostLedger;
  readonly devices: Devices;
  readonly seen: SeenExecution[];
}

async function hosted(model: string, { random, clock, ledger, devices, seen }: Surroundings) {
  const upTo = (n: number) => Math.floor(random() * n);
  const maxBatchSize = 1 + upTo(8);
  const spec = modelSpec({
    id: { model, version: 1 + upTo(2) },
    maxBatchSize,
    inputs: [tensorSpec('x', 'FP32', [-1])],
    batching: policy({
      maxBatchSize,
      ...(random() < 0.5 ? { allowedBatchSizes: [Math.max(1, maxBatchSize >> 1), maxBatchSize] } : {}),
    }),
  });
  const instances = [
    { device: 'cpu' as const, deviceId: 0, count: upTo(3) },
    { device: 'cuda' as const, deviceId: 0, count: 1 + upTo(2) },
  ].filter(({ count }) => count > 0);
  const places = instances.flatMap(({ device, count }) =>
    Array.from({ length: count }, () => (device === 'cpu' ? 'cpu' : 'cuda:0')),
  );
  const chances = { fails: random() < 0.5 ? 0.3 : 0, mismatches: random() < 0.2 ? 0.2 : 0, longestNs: 40_000 };
  const opened = new ChanceModel(clock, random, chances, places, seen);
  const meter = ledger.meter(spec.id);
  const maxExecutionMs = random() < 0.3 ? 0.03 : 0;
  const plan = { spec, instances, maxExecutionMs };
  const executor = await createExecutor({ opened, plan, clock, log: new SilentLog(), devices, meter });
  const left = ledger.resident(spec.id, executor.devices, upTo(1000));
  const warm = executor.warm({ inputs: [], rows: 1 }).catch(() => {});
  clock.advance(40_001);
  await warm;
  const metrics = { executed() {}, setQueueDepth() {} };
  const costs = random() < 0.7 ? { costs: new LearnedCost() } : {};
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 1000, meter, ...costs });
  return { batcher, executor, left };
}

interface Asked {
  readonly direct: boolean;
  outcome: MemberOutcome | undefined;
  cancel(): void;
}

const CHARGES = new Charges();
const TENANTS: readonly Tenant[] = ['', 'a', 'b', 'c', 'd'].map((name, index) => ({ name, weight: 1, index }));

function request(batcher: Batcher, random: Random, clock: FakeClock): Asked[] {
  const upTo = (n: number) => Math.floor(random() * n);
  const charge = [
    undefined,
    CHARGES.of('eu', 'direct'),
    CHARGES.of('default', 'direct'),
    CHARGES.of('next', 'canary'),
    SHADOW_COPY,
  ][upTo(5)];
  const item: QueueItem = {
    member: { inputs: [], rows: 1 },
    key: '',
    length: upTo(3) === 0 ? 0 : 1 + upTo(20),
    priority: 0,
    timeoutUs: 0,
    deadlineNs: random() < 0.2 ? clock.nowNs() + upTo(60_000) + 1 : NO_DEADLINE,
    enqueuedNs: clock.nowNs(),
    tenant: TENANTS[upTo(TENANTS.length)] as Tenant,
    ...(charge && { charge }),
    settle: (outcome) => {
      one.outcome = outcome;
    },
  };
  const one: Asked = {
    direct: (charge?.kind ?? 'direct') === 'direct',
    outcome: undefined,
    cancel: () => batcher.cancel(item),
  };
  try {
    batcher.enqueue(item);
    return [one];
  } catch (thrown) {
    if (thrown instanceof ServingError) return [];
    throw thrown;
  }
}

/** direct + waste + idle = price x time, and the time is that of the clock. */
function balanced({ devices, lines, idle, sinceMs, atMs }: LedgerSnapshot): void {
  for (const balance of devices) {
    const { device, amount, direct, waste, elapsedSeconds, runningSeconds, busySeconds } = balance;
    expect(balance.conservationError).toBeLessThan(EXACT);
    expect(Math.abs(direct + waste + balance.idle - amount)).toBeLessThanOrEqual(EXACT * amount);
    expect(Math.abs((elapsedSeconds * (PRICES[device] as number)) / 3600 - amount)).toBeLessThanOrEqual(EXACT * amount);
    expect(Math.abs(elapsedSeconds + runningSeconds - (atMs - sinceMs) / 1000)).toBeLessThan(2e-3);
    const own = <T extends { readonly device: string }>(all: readonly T[]) =>
      all.filter((one) => one.device === device);
    const spent = sum(own(lines).map(({ deviceSeconds }) => deviceSeconds));
    const unused = sum(own(idle).map(({ seconds }) => seconds));
    expect(Math.abs(spent - busySeconds)).toBeLessThanOrEqual(EXACT * elapsedSeconds);
    expect(Math.abs(spent + unused - elapsedSeconds)).toBeLessThanOrEqual(EXACT * elapsedSeconds);
  }
}

/** No sum became smaller. */
function grown(before: LedgerSnapshot, after: LedgerSnapshot): void {
  const sums = new Map<string, number>();
  const name = (line: object) => JSON.stringify(Object.values(line).filter((value) => typeof value === 'string'));
  const note = ({ lines, idle }: LedgerSnapshot, check: boolean) => {
    for (const line of [...lines, ...idle]) {
      const value =
        'seconds' in line ? line.seconds : line.deviceSeconds + line.requests + line.rows + line.aloneSeconds;
      if (check) expect(value).toBeGreaterThanOrEqual((sums.get(name(line)) ?? 0) * (1 - 1e-12));
      else sums.set(name(line), value);
    }
  };
  note(before, false);
  note(after, true);
}

/** Each version has what its executions had of each device, every instant shared by those that ran. */
function asDefined({ lines }: LedgerSnapshot, seen: readonly SeenExecution[]): void {
  const shares = sharesOf(seen);
  const expected = new Map<string, number>();
  for (const [{ device, model }, ns] of shares) count(expected, `${device} ${model}`, ns / 1e9);
  const booked = new Map<string, number>();
  for (const { device, model, deviceSeconds } of lines) count(booked, `${device} ${model}`, deviceSeconds);
  expect([...booked.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, seconds] of expected)
    expect(Math.abs((booked.get(key) as number) - seconds)).toBeLessThanOrEqual(EXACT * seconds);
}

/** What requests were told that they cost is in the books: as direct, or, where their batch was run again, as that. */
function answersAddUp({ lines }: LedgerSnapshot, asked: readonly Asked[]): void {
  const told = sum(
    asked.map(({ direct, outcome }) => (direct && outcome?.kind === 'done' ? outcome.deviceNs / 1e9 : 0)),
  );
  const of = (kind: string) => sum(lines.filter((line) => line.kind === kind).map((line) => line.deviceSeconds));
  expect(told).toBeLessThanOrEqual((of('direct') + of('retried')) * (1 + EXACT));
  const allAnswered = asked.every(({ outcome }) => outcome?.kind === 'done');
  if (allAnswered && of('retried') === 0) expect(Math.abs(told - of('direct'))).toBeLessThanOrEqual(EXACT * told);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
