import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeLedger } from '../../../test/support/fake-ledger.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import {
  COST_DIMENSIONS,
  COST_PERIODS,
  type CostReport,
  type CostRequest,
  DAY_MS,
  HOUR_MS,
  ServingError,
} from '../../core/index.js';
import { StateStore } from '../../store/index.js';
import { EnergyMeter } from './energy-meter.js';
import { costReport } from './report.js';
import { Rollups } from './rollups.js';

const DAY = Date.UTC(2026, 10, 21);
const NOON = DAY + 12 * HOUR_MS;

/** A store in memory with what `spend` makes a ledger spend. */
function spent(spend: (ledger: FakeLedger, write: () => void) => void, ledger = new FakeLedger(NOON)) {
  const store = new StateStore({ file: undefined, make: 'needed', log: new SilentLog() }).costs;
  const rollups = new Rollups({
    ledger,
    store,
    keeps: true,
    energy: new EnergyMeter({ read: () => [] }),
    carbonOf: undefined,
    log: new SilentLog(),
    run: 'run',
    keep: { hours: 10_000, days: 10_000 },
  });
  const write = () => rollups.write(ledger.atMs);
  spend(ledger, write);
  write();
  return { store, ledger };
}

function report(
  { store, ledger }: ReturnType<typeof spent>,
  request: Partial<CostRequest> = {},
  nowMs = ledger.atMs,
): Promise<CostReport> {
  return costReport(
    store,
    { fromMs: 0, toMs: undefined, by: 'total', group: ['model'], currency: undefined, ...request },
    { nowMs, currency: undefined, live: false, budgets: [], pause: async () => {} },
  );
}

const aDay = () =>
  spent((ledger) => {
    ledger.pass(1000, [
      [{ model: 'mlp', tenant: 'a' }, 100, { requests: 50, rows: 200, aloneSeconds: 300 }],
      [{ model: 'mlp' }, 50, { requests: 25, aloneSeconds: 100 }],
      [{ model: 'mlp', kind: 'padding' }, 10],
      [{ model: 'cnn', version: 2, tenant: 'a' }, 200, { requests: 10 }],
      [{ model: 'cnn', version: 3, kind: 'canary', route: 'r7' }, 20, { requests: 1 }],
      [{ model: 'cnn', version: 3, kind: 'shadow' }, 40, { requests: 9 }],
    ]);
  });

describe('a report', () => {
  it('tells models apart, with their waste, and what is idle', async () => {
    const { rows, total, devices, currency, conservationError } = await report(aDay());
    expect(currency).toBe('USD');
    expect(rows.map(({ model, direct, waste, idle, requests }) => [model, direct, waste, idle, requests])).toEqual(
      [
        ['cnn', 0.2, 0.06, 0, 11],
        ['mlp', 0.15, 0.01, 0, 75],
        [null, 0, 0, 0.58, 0],
      ].map((row) => row.map((value) => (typeof value === 'number' ? expect.closeTo(value, 12) : value))),
    );
    expect(rows[0]?.kinds).toEqual({
      direct: expect.closeTo(0.2, 12),
      canary: expect.closeTo(0.02, 12),
      shadow: expect.closeTo(0.04, 12),
    });
    expect(rows[1]?.perThousandRequests).toBeCloseTo((0.16 / 75) * 1000, 12);
    expect(rows[1]?.perMillionRows).toBeCloseTo((0.16 / 225) * 1e6, 9);
    expect(total.amount).toBeCloseTo(1, 12);
    expect(devices).toEqual([
      expect.objectContaining({ device: 'cpu', elapsedSeconds: 1000, busySeconds: 420, pricePerHour: 3.6 }),
    ]);
    expect(conservationError).toBeLessThan(1e-12);
  });

  it('says what batching saved, what shadowing and what the canary cost', async () => {
    const { batching, shadowing, canary } = await report(aDay());
    // Padding counts against it; what is not known alone does not count.
    expect(batching).toEqual({
      aloneSeconds: 400,
      actualSeconds: 160,
      savedSeconds: 240,
      savedAmount: expect.closeTo(0.24, 12),
    });
    expect(shadowing).toEqual({ amount: expect.closeTo(0.04, 12), ratio: expect.closeTo(0.04, 12) });
    expect(canary.amount).toBeCloseTo(0.02, 12);
  });

  it('gives what belongs to no tenant a line of its own, apart from requests that name none', async () => {
    const { rows } = await report(aDay(), { group: ['tenant'] });
    expect(rows.map(({ tenant, amount }) => [tenant, Math.round(amount * 1000)])).toEqual([
      ['', 50],
      ['a', 300],
      [null, 650],
    ]);
    const kinds = await report(aDay(), { group: ['kind', 'version'] });
    expect(kinds.group).toEqual(['kind', 'model', 'version']);
    expect(kinds.rows.find(({ kind }) => kind === 'shadow')).toMatchObject({ model: 'cnn', version: 3, requests: 9 });
    expect(kinds.rows.find(({ kind }) => kind === 'idle')).toMatchObject({ model: null, version: null });
  });

  it('takes whole hours, and says which', async () => {
    const kept = spent((ledger, write) => {
      for (let hour = 0; hour < 5; hour++) {
        ledger.pass(3600, [[{ model: 'mlp' }, 60 * hour, { requests: hour }]]);
        write();
      }
    });
    const asked = { fromMs: NOON + HOUR_MS + 1, toMs: NOON + 3 * HOUR_MS - 1, by: 'hour' as const };
    const { rows, from, to } = await report(kept, asked);
    expect([from, to]).toEqual(['2026-11-21T13:00:00.000Z', '2026-11-21T15:00:00.000Z']);
    expect(rows.map((row) => [row.from?.slice(11, 16), row.model, row.requests])).toEqual([
      ['13:00', 'mlp', 1],
      ['13:00', null, 0],
      ['14:00', 'mlp', 2],
      ['14:00', null, 0],
    ]);
    const days = await report(kept, { by: 'day' });
    expect(days.rows).toHaveLength(2);
    expect(days.rows[0]).toMatchObject({ from: '2026-11-21T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z' });
    await expect(report(kept, { fromMs: NOON, toMs: NOON })).rejects.toThrow(/not before/);
  });

  it('is refused where it would be too long, and is the same however it is cut', async () => {
    const kept = spent((ledger, write) => {
      for (let hour = 0; hour < 30; hour++) {
        ledger.pass(
          3600,
          Array.from({ length: 400 }, (_, i) => [{ model: `m${i}` }, 7, { requests: 1 }]),
        );
        write();
      }
    });
    await expect(report(kept, { by: 'hour' })).rejects.toThrow(ServingError);
    const whole = await report(kept);
    const days = await report(kept, { by: 'day' });
    expect(days.rows.reduce((sum, { amount }) => sum + amount, 0) / whole.total.amount).toBeCloseTo(1, 12);
    expect(whole.rows).toHaveLength(401);
  });

  it('adds up however it is grouped', async () => {
    const kept = aDay();
    await fc.assert(
      fc.asyncProperty(fc.subarray([...COST_DIMENSIONS]), fc.constantFrom(...COST_PERIODS), async (group, by) => {
        const { rows, total, devices } = await report(kept, { group, by });
        for (const name of ['amount', 'direct', 'waste', 'idle', 'deviceSeconds', 'idleSeconds'] as const)
          expect(rows.reduce((sum, row) => sum + row[name], 0)).toBeCloseTo(total[name], 9);
        expect(devices[0]?.amount).toBeCloseTo(total.amount, 12);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps currencies apart', async () => {
    const { store, ledger } = aDay();
    const euros = new FakeLedger(ledger.atMs, { cpu: 7.2 }, { currency: 'EUR', idleOf: { model: '', version: 0 } });
    const rollups = new Rollups({
      ledger: euros,
      store,
      keeps: true,
      energy: new EnergyMeter({ read: () => [] }),
      carbonOf: undefined,
      log: new SilentLog(),
      run: 'in euros',
      keep: { hours: 100, days: 100 },
    });
    euros.pass(7200);
    rollups.finish();
    const newest = await report({ store, ledger: euros });
    expect([newest.currency, newest.otherCurrencies, newest.total.amount]).toEqual(['EUR', ['USD'], 14.4]);
    expect((await report({ store, ledger: euros }, { currency: 'USD' })).total.amount).toBeCloseTo(1, 12);
  });
});

describe('the forecast', () => {
  it('needs a full day', async () => {
    expect((await report(aDay())).forecast).toBeUndefined();
    const kept = aDay();
    expect((await report(kept, {}, DAY + DAY_MS + 1)).forecast).toBeUndefined();
  });

  it('adds the mean of each hour left to what was spent, and an interval from how days differ', async () => {
    const ledger = new FakeLedger(Date.UTC(2026, 10, 3), { cpu: 24 });
    // Nights are cheap: the gateway is off from 12 to 24. Days cost 288 and 240 by turns.
    const kept = spent((_, write) => {
      for (let day = 0; day < 4; day++) {
        for (let hour = 0; hour < 12; hour++) {
          ledger.pass(day % 2 === 0 ? 3600 : 3000);
          write();
          if (day % 2 === 1) ledger.atMs += 600_000;
        }
        ledger.atMs += 12 * HOUR_MS;
      }
    }, ledger);
    const { forecast } = await report(kept, {}, Date.UTC(2026, 10, 7, 12));
    const spentSoFar = 2 * 288 + 2 * 240;
    // Today was off up to noon, and is off from then on in the mean of the days before; 23 days are left.
    expect(forecast).toMatchObject({ month: '2026-11', days: 4, spent: expect.closeTo(spentSoFar, 6) });
    expect(forecast?.expected).toBeCloseTo(spentSoFar + 23 * 264, 6);
    const sd = Math.sqrt((4 * 24 ** 2) / 3);
    const margin = 2.353 * sd * Math.sqrt(23.5 + 23.5 ** 2 / 4);
    expect(forecast?.high).toBeCloseTo(forecast!.expected + margin, 6);
    expect(forecast?.low).toBeCloseTo(forecast!.expected - margin, 6);
  });
});
