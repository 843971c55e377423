import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeLedger } from '../../../test/support/fake-ledger.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { BudgetBoard, type BudgetNotice, type BudgetSpec, DAY_MS, HOUR_MS } from '../../core/index.js';
import { StateStore } from '../../store/index.js';
import { Budgets } from './budgets.js';
import { EnergyMeter } from './energy-meter.js';
import { Rollups } from './rollups.js';

const NOON = Date.UTC(2026, 10, 29, 12);

let store: StateStore;
let told: (readonly [string, number, boolean])[];
beforeEach(() => {
  store = new StateStore({ file: undefined, make: 'needed', log: new SilentLog() });
  told = [];
});

const spec = (changes: Partial<BudgetSpec>): BudgetSpec => ({
  name: 'b',
  amount: 1,
  per: 'day',
  alertAt: [0.5, 1],
  action: 'refuse',
  ...changes,
});

/** A gateway's budgets, whose device costs 0.001 a second. */
function watched(budgets: readonly BudgetSpec[], atMs = NOON) {
  const ledger = new FakeLedger(atMs, { cpu: 3.6 });
  const board = new BudgetBoard(budgets.length);
  const rollups = new Rollups({
    ledger,
    store: store.costs,
    keeps: true,
    energy: new EnergyMeter({ read: () => [] }),
    carbonOf: undefined,
    log: new SilentLog(),
    run: `from ${atMs}`,
    keep: { hours: 1000, days: 1000 },
  });
  const tell = ({ budget, threshold, refusing }: BudgetNotice) => void told.push([budget, threshold, refusing]);
  const watch = new Budgets({ budgets, board, ledger, store: store.costs, log: new SilentLog(), tell }, atMs);
  return { ledger, board, watch, rollups, look: () => watch.look(ledger.atMs) };
}

describe('a budget', () => {
  it('of a tenant counts its direct time, of a model all but idle time and what rollouts try', () => {
    const { ledger, watch, look } = watched([spec({ tenant: 't' }), spec({ name: 'm', model: 'mlp' })]);
    ledger.pass(1000, [
      [{ model: 'mlp', tenant: 't' }, 100],
      [{ model: 'mlp', version: 2, tenant: 'u' }, 50],
      [{ model: 'cnn', tenant: 't' }, 200],
      [{ model: 'mlp', kind: 'padding' }, 10],
      [{ model: 'mlp', kind: 'warm_up' }, 5],
      [{ model: 'mlp', kind: 'canary' }, 70],
      [{ model: 'mlp', kind: 'shadow' }, 80],
    ]);
    look();
    expect(watch.statuses().map(({ used }) => used)).toEqual([expect.closeTo(0.3, 12), expect.closeTo(0.165, 12)]);
  });

  it('tells each threshold once, in order, and refuses until its period ends', () => {
    const { ledger, board, watch, look } = watched([spec({ model: 'mlp' })]);
    const spend = (seconds: number) => {
      ledger.pass(seconds, [[{ model: 'mlp' }, seconds]]);
      look();
    };
    spend(499);
    expect(told).toEqual([]);
    spend(2);
    spend(2);
    expect([told, board.refusesAny]).toEqual([[['b', 0.5, false]], false]);
    spend(500);
    expect(told).toEqual([
      ['b', 0.5, false],
      ['b', 1, true],
    ]);
    expect([board.refusesAny, board.untilMs(0)]).toEqual([true, NOON + 12 * HOUR_MS]);
    expect(watch.statuses()[0]).toMatchObject({ refusing: true, renews: '2026-11-30T00:00:00.000Z' });
    ledger.pass(12 * 3600 - 1003 + 1);
    look();
    expect([board.refusesAny, board.untilMs(0), watch.statuses()[0]?.used]).toEqual([false, 0, 0]);
    spend(600);
    expect([told.length, watch.statuses()[0]?.usedRatio]).toEqual([3, expect.closeTo(0.6, 12)]);
  });

  it('only tells where it is to alert', () => {
    const { ledger, board, look } = watched([spec({ model: 'mlp', action: 'alert', alertAt: [2] })]);
    ledger.pass(3000, [[{ model: 'mlp' }, 2500]]);
    look();
    expect([told, board.refusesAny]).toEqual([[['b', 2, false]], false]);
  });

  it('knows after a restart what was used and what was told', () => {
    const budgets = [spec({ model: 'mlp' }), spec({ name: 'month', tenant: 't', per: 'month', amount: 2 })];
    const first = watched(budgets);
    first.ledger.pass(2000, [[{ model: 'mlp', tenant: 't' }, 1200]]);
    first.look();
    first.rollups.finish();
    expect(told.map(([, threshold]) => threshold)).toEqual([0.5, 1, 0.5]);
    const second = watched(budgets, first.ledger.atMs + 1000);
    second.look();
    expect(told).toHaveLength(3);
    expect(second.watch.statuses().map(({ used, refusing }) => [used, refusing])).toEqual([
      [expect.closeTo(1.2, 12), true],
      [expect.closeTo(1.2, 12), false],
    ]);
    second.ledger.pass(2000, [[{ model: 'cnn', tenant: 't' }, 900]]);
    second.look();
    expect(second.watch.statuses().map(({ refusing }) => refusing)).toEqual([true, true]);
    second.rollups.finish();
    const nextDay = watched(budgets, NOON + DAY_MS);
    nextDay.look();
    expect(nextDay.watch.statuses().map(({ used }) => used)).toEqual([0, expect.closeTo(2.1, 12)]);
    const nextMonth = watched(budgets, NOON + 2 * DAY_MS);
    nextMonth.look();
    expect(nextMonth.watch.statuses().map(({ used }) => used)).toEqual([0, 0]);
  });

  it('is looked at before it can be used up, however it is spent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 60 }),
        fc.double({ min: 0.001, max: 2, noNaN: true }),
        (shares, amount) => {
          const { ledger, watch, look } = watched([spec({ name: `n${amount}`, model: 'mlp', amount })]);
          let refusedAt: number | undefined;
          for (const share of shares) {
            const seconds = look() / 1000;
            ledger.pass(seconds, [[{ model: 'mlp' }, seconds * share]]);
            look();
            const [status] = watch.statuses();
            if (status?.refusing === true) refusedAt ??= status.used;
          }
          // A tenth of a second at 0.001 a second too much, at most.
          return refusedAt === undefined || (refusedAt >= amount && refusedAt <= amount + 1.01e-4);
        },
      ),
      { numRuns: 100 },
    );
  });
});

it('a board in shared memory is one board', () => {
  const board = new BudgetBoard(3);
  const other = new BudgetBoard(3, board.memory);
  board.set(2, 5);
  expect([other.refusesAny, other.untilMs(2), other.untilMs(0)]).toEqual([true, 5, 0]);
  other.refused(2);
  other.refused(2);
  expect([board.takeRefused(2), board.takeRefused(2), board.takeRefused(0)]).toEqual([2, 0, 0]);
  board.set(2, 0);
  expect(other.refusesAny).toBe(false);
});
