import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeLedger } from '../../../test/support/fake-ledger.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import {
  COST_KINDS,
  type CostLedgerSource,
  DAY_MS,
  type DeviceReading,
  HOUR_MS,
  type RollupStore,
} from '../../core/index.js';
import { StateStore } from '../../store/index.js';
import type { CostSource } from './cost-source.js';
import { EnergyMeter } from './energy-meter.js';
import { Rollups, type RollupsOptions } from './rollups.js';

const T0 = Date.UTC(2026, 10, 21, 13, 59);
const USD = { currency: 'USD', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

let folder: string;
let stores: StateStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-rollups-'));
  stores = [];
});
afterEach(() => {
  for (const store of stores) store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(file: string | undefined = join(folder, 'state.db'), memory = false): StateStore {
  const store = new StateStore({ file: memory ? undefined : file, make: 'needed', log: new SilentLog() });
  stores.push(store);
  return store;
}

let runs = 0;
function rollups(ledger: CostLedgerSource, store: RollupStore, options: Partial<RollupsOptions> = {}): Rollups {
  return new Rollups({
    ledger,
    store,
    keeps: true,
    energy: new EnergyMeter({ read: () => [] }),
    carbonOf: undefined,
    log: new SilentLog(),
    run: `run ${++runs}`,
    keep: { hours: 1000, days: 1000 },
    ...options,
  });
}

/** All that a source has, by kind and in all. */
function sums(source: CostSource) {
  const lines = source.lines({ ...USD, dimensions: ['kind', 'model', 'device'], periods: true });
  const devices = source.devices(USD);
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return {
    lines: add(lines.map(({ amount }) => amount)),
    seconds: add(lines.map(({ deviceSeconds }) => deviceSeconds)),
    requests: add(lines.map(({ requests }) => requests)),
    elapsed: add(devices.map(({ elapsedSeconds }) => elapsedSeconds)),
    priced: add(devices.map(({ amount }) => amount)),
    parts: add(devices.map(({ direct, waste, idle }) => direct + waste + idle)),
  };
}

describe('sums of hours', () => {
  it('divide an interval over the hours that it touches, by time, and requests as whole numbers', () => {
    const ledger = new FakeLedger(T0);
    const store = open();
    const kept = rollups(ledger, store.costs);
    ledger.pass(240, [[{ model: 'mlp', tenant: 'a' }, 80, { requests: 10, rows: 31, aloneSeconds: 100 }]]);
    kept.write(ledger.atMs);
    const rows = store.costs.lines({ ...USD, dimensions: ['model', 'tenant', 'kind'], periods: true });
    const direct = rows.filter(({ kind }) => kind === 'direct');
    expect(direct.map(({ startMs }) => new Date(startMs).getUTCHours())).toEqual([13, 14]);
    expect(direct.map(({ deviceSeconds }) => deviceSeconds)).toEqual([20, 60]);
    expect(direct.map(({ requests, rows: n }) => [requests, n])).toEqual([
      [3, 8],
      [7, 23],
    ]);
    expect(direct.map(({ tenant, model }) => [tenant, model])).toEqual([
      ['a', 'mlp'],
      ['a', 'mlp'],
    ]);
    expect(sums(store.costs)).toMatchObject({ seconds: 240, elapsed: 240, requests: 10 });
  });

  it('go by the time that devices lived where the wall clock is set', () => {
    const ledger = new FakeLedger(T0);
    const store = open();
    const kept = rollups(ledger, store.costs);
    ledger.pass(30);
    kept.write(ledger.atMs);
    ledger.atMs += 5 * DAY_MS;
    ledger.pass(30);
    kept.write(ledger.atMs);
    expect(store.costs.devices(USD).map(({ startMs, elapsedSeconds }) => [startMs, elapsedSeconds])).toEqual([
      [T0 - 59 * 60_000, 30],
      [T0 - 59 * 60_000 + 5 * DAY_MS + HOUR_MS, 1 * 30].map((value, i) => (i === 0 ? expect.any(Number) : value)),
    ]);
  });

  it('make no file before there is something to write, and none where nothing is to be kept', () => {
    const file = join(folder, 'state.db');
    const ledger = new FakeLedger(T0);
    const kept = rollups(ledger, open(file).costs);
    expect(existsSync(file)).toBe(false);
    const unkept = rollups(ledger, open(file).costs, { keeps: false });
    ledger.pass(1);
    unkept.write(ledger.atMs);
    expect(existsSync(file)).toBe(false);
    kept.write(ledger.atMs);
    expect(existsSync(file)).toBe(true);
  });

  it('show what is written and what is not, once', async () => {
    const ledger = new FakeLedger(T0);
    const store = open();
    const kept = rollups(ledger, store.costs);
    ledger.pass(10, [[{ model: 'mlp' }, 4, { requests: 2 }]]);
    kept.write(ledger.atMs);
    ledger.pass(10, [[{ model: 'mlp' }, 4, { requests: 2 }]]);
    await kept.read(async (source) => {
      expect(sums(source)).toMatchObject({ elapsed: 20, requests: 4, seconds: 20 });
      ledger.pass(10);
      kept.write(ledger.atMs);
      // While somebody reads nothing moves.
      expect(sums(source)).toMatchObject({ elapsed: 20, requests: 4, seconds: 20 });
      expect(sums(store.costs)).toMatchObject({ elapsed: 10 });
    });
    expect(sums(store.costs)).toMatchObject({ elapsed: 30, requests: 4 });
  });

  it('are written later where the store fails, and once where it did but said that it failed', async () => {
    const ledger = new FakeLedger(T0);
    const { costs } = open();
    let fails: 'before' | 'after' | undefined = 'before';
    const store: RollupStore = {
      ...costs,
      add(batch) {
        if (fails === 'before') throw new Error('full');
        costs.add(batch);
        if (fails === 'after') throw new Error('lost');
      },
    };
    const kept = rollups(ledger, store);
    ledger.pass(10);
    kept.write(ledger.atMs);
    fails = 'after';
    ledger.pass(10);
    kept.write(ledger.atMs);
    await kept.read(async (source) => expect(sums(source).elapsed).toBe(20));
    fails = undefined;
    ledger.pass(10);
    kept.write(ledger.atMs);
    expect(sums(costs).elapsed).toBe(30);
    await kept.read(async (source) => expect(sums(source).elapsed).toBe(30));
  });
});

describe('conservation', () => {
  const step = fc.record({
    seconds: fc.double({ min: 0.001, max: 5000, noNaN: true }),
    busy: fc.array(
      fc.record({
        device: fc.constantFrom('cpu', 'cuda:0'),
        model: fc.constantFrom('a', 'b', 'c'),
        version: fc.integer({ min: 1, max: 3 }),
        tenant: fc.constantFrom('', 't', 'u'),
        kind: fc.constantFrom(...COST_KINDS),
        share: fc.double({ min: 0, max: 0.15, noNaN: true }),
        requests: fc.integer({ min: 0, max: 1e6 }),
      }),
      { maxLength: 6 },
    ),
    // What happens then: a write, nothing, the store fails, an orderly end, a kill.
    next: fc.constantFrom('write', 'write', 'nothing', 'fail', 'stop', 'kill'),
  });

  it('holds over writes, failures, restarts and kills: only what a kill took since the last write is not there', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const store = open(undefined, true);
        let failing = false;
        const guarded: RollupStore = {
          ...store.costs,
          add(batch) {
            if (failing) throw new Error('full');
            store.costs.add(batch);
          },
        };
        let atMs = T0;
        const begin = () => {
          const ledger = new FakeLedger(atMs, { cpu: 1.23, 'cuda:0': 7.89 });
          return { ledger, kept: rollups(ledger, guarded) };
        };
        let { ledger, kept } = begin();
        let expected = { elapsed: 0, amount: 0, requests: 0 };
        const spentIn = ({ devices, lines }: ReturnType<FakeLedger['snapshot']>) => ({
          elapsed: devices.reduce((sum, { elapsedSeconds }) => sum + elapsedSeconds, 0),
          amount: devices.reduce((sum, { amount }) => sum + amount, 0),
          requests: lines.reduce((sum, { requests }) => sum + requests, 0),
        });
        let written = spentIn(ledger.snapshot());
        const restart = (lost: boolean) => {
          const whole = lost ? written : spentIn(ledger.snapshot());
          expected = {
            elapsed: expected.elapsed + whole.elapsed,
            amount: expected.amount + whole.amount,
            requests: expected.requests + whole.requests,
          };
          atMs = ledger.atMs + 1000;
          ({ ledger, kept } = begin());
          written = spentIn(ledger.snapshot());
        };
        for (const { seconds, busy, next } of steps) {
          ledger.pass(
            seconds,
            busy.map(({ share, requests, ...key }) => [key, share * seconds, { requests, aloneSeconds: 2 * share }]),
          );
          failing = next === 'fail';
          if (next === 'write' || next === 'fail') kept.write(ledger.atMs);
          failing = false;
          if (next === 'write') written = spentIn(ledger.snapshot());
          if (next === 'stop') kept.finish();
          if (next === 'stop' || next === 'kill') restart(next === 'kill');
        }
        kept.finish();
        restart(false);
        const found = sums(store.costs);
        const near = (value: number, wanted: number) =>
          Math.abs(value - wanted) <= 1e-9 * Math.max(Math.abs(wanted), 1e-12);
        store.close();
        return (
          near(found.elapsed, expected.elapsed) &&
          near(found.priced, expected.amount) &&
          near(found.lines, expected.amount) &&
          near(found.parts, expected.amount) &&
          near(found.seconds, expected.elapsed) &&
          found.requests === expected.requests
        );
      }),
      { numRuns: 150 },
    );
  });

  it('holds in days as in hours, and days go when they are too old', () => {
    const store = open();
    const ledger = new FakeLedger(T0);
    const kept = rollups(ledger, store.costs, { keep: { hours: 48, days: 5 } });
    for (let hour = 0; hour < 24 * 9; hour++) {
      ledger.pass(3600, [[{ model: 'mlp', tenant: String(hour % 3) }, 1234, { requests: 7 }]]);
      kept.write(ledger.atMs);
    }
    const devices = store.costs.devices(USD);
    const days = devices.filter(({ spanMs }) => spanMs === DAY_MS);
    expect(devices.length - days.length).toBeGreaterThanOrEqual(48);
    expect(devices.length - days.length).toBeLessThanOrEqual(48 + 24);
    expect(days.map(({ elapsedSeconds }) => elapsedSeconds)).toEqual(days.map(() => 86_400));
    expect(days.length).toBeGreaterThanOrEqual(2);
    expect(days.length).toBeLessThanOrEqual(5);
    const found = sums(store.costs);
    expect(found.lines / found.priced).toBeCloseTo(1, 12);
    expect(found.requests / found.elapsed).toBeCloseTo(7 / 3600, 6);
  });
});

describe('energy', () => {
  const reading = (device: string, energyJoules: number | undefined): DeviceReading => ({
    device,
    product: undefined,
    energyJoules,
    powerWatts: undefined,
    powerLimitWatts: undefined,
    memoryUsedBytes: undefined,
    memoryTotalBytes: undefined,
    utilisation: undefined,
    temperatureCelsius: undefined,
  });

  it('is shared as busy time, idle energy apart, and is absent where there is no counter', () => {
    const ledger = new FakeLedger(T0, { cpu: 1, 'cuda:0': 1 });
    const store = open();
    let joules = 1000;
    const readings = { read: () => [reading('cuda:0', joules), reading('cpu', undefined)] };
    const kept = rollups(ledger, store.costs, {
      energy: new EnergyMeter(readings),
      carbonOf: (energy, hourMs) => (energy / 3.6e6) * (new Date(hourMs).getUTCHours() === 13 ? 400 : 100),
    });
    // Nothing runs: 20 W.
    ledger.pass(10);
    joules += 200;
    kept.write(ledger.atMs);
    // A quarter of the time, three to one.
    ledger.pass(20, [
      [{ device: 'cuda:0', model: 'a' }, 3.75],
      [{ device: 'cuda:0', model: 'b' }, 1.25],
      [{ device: 'cpu', model: 'a' }, 5],
    ]);
    joules += 1000;
    kept.write(ledger.atMs);
    const rows = store.costs.lines({ ...USD, dimensions: ['model', 'kind', 'device'], periods: false });
    const of = (device: string, model: string) =>
      rows.find((row) => row.device === device && row.model === model)?.energyJoules;
    expect([of('cuda:0', 'a'), of('cuda:0', 'b'), of('cuda:0', '')]).toEqual([525, 175, 500]);
    expect([of('cpu', 'a'), of('cpu', '')]).toEqual([undefined, undefined]);
    const [gpu] = store.costs.devices(USD).filter(({ device }) => device === 'cuda:0');
    expect(gpu?.energyJoules).toBe(1200);
    expect(gpu?.carbonGrams).toBeCloseTo((1200 / 3.6e6) * 400, 12);
    expect(rows.filter(({ carbonGrams }) => carbonGrams !== undefined)).toHaveLength(3);
  });

  it('begins anew where the counter does, without making anything up', () => {
    const ledger = new FakeLedger(T0);
    const store = open();
    let joules = 5000;
    const kept = rollups(ledger, store.costs, { energy: new EnergyMeter({ read: () => [reading('cpu', joules)] }) });
    ledger.pass(10);
    joules = 3;
    kept.write(ledger.atMs);
    expect(store.costs.devices(USD)[0]?.energyJoules).toBeUndefined();
    ledger.pass(10);
    joules = 43;
    kept.write(ledger.atMs);
    expect(store.costs.devices(USD)[0]?.energyJoules).toBe(40);
  });
});
