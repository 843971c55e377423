import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { Charges, type CostSplit, NOBODY, type Tenant } from '../../core/index.js';
import { costFamilies } from './cost-families.js';
import { CostLedger, type CostLedgerOptions } from './cost-ledger.js';
import type { IdlePolicy } from './idle-split.js';

const S = 1e9;
const CHARGES = new Charges();
const tenant = (name: string): Tenant => ({ name, weight: 1, index: 3 });

function ledgerOf(idle: IdlePolicy, changes: Partial<CostLedgerOptions> = {}) {
  const clock = new FakeClock();
  const split: CostSplit = 'rows';
  const bounds = { maxTenants: 2, maxRoutes: 1 };
  const priceOf = () => ({ kind: 'market', perHour: 3600 }) as const;
  const ledger = new CostLedger({ clock, currency: 'EUR', split, idle, ...bounds, priceOf, ...changes });
  return { clock, ledger };
}

const idleOf = (ledger: CostLedger) => ledger.snapshot().idle.map(({ model, seconds }) => [model, seconds]);
const A = { model: 'a', version: 1 };
const B = { model: 'b', version: 1 };

describe('the cost ledger', () => {
  it('lets idle time be paid by who is loaded, by bytes, while it is', () => {
    const { clock, ledger } = ledgerOf('reserved');
    const leave = ledger.resident(A, ['cpu:0'], 30);
    clock.advance(4 * S);
    ledger.resident(B, ['cpu:0'], 10);
    clock.advance(4 * S);
    leave();
    clock.advance(2 * S);
    expect(idleOf(ledger)).toEqual([
      ['a', 7],
      ['b', 3],
    ]);
  });

  it('lets idle time be paid by who used the device since it was last asked, else ever, else by nobody', () => {
    const { clock, ledger } = ledgerOf('proportional');
    const meter = ledger.meterOf('cpu:0');
    for (const id of [A, B]) ledger.resident(id, ['cpu:0'], 1);
    const use = (id: typeof A, seconds: number) => {
      const begun = meter.begin(clock.nowNs());
      clock.advance(seconds * S);
      const ns = meter.end(begun, clock.nowNs());
      ledger.meter(id).account(NOBODY, CHARGES.of('default', 'direct')).add(meter.index, ns, 1, 1, ns);
    };
    clock.advance(S);
    expect(idleOf(ledger)).toEqual([['', 1]]);
    use(A, 3);
    use(B, 1);
    clock.advance(4 * S);
    expect(idleOf(ledger)).toEqual([
      ['', 1],
      ['a', 3],
      ['b', 1],
    ]);
    use(B, 1);
    clock.advance(2 * S);
    expect(idleOf(ledger)).toEqual([
      ['', 1],
      ['a', 3],
      ['b', 3],
    ]);
    clock.advance(5 * S);
    expect(idleOf(ledger)).toEqual([
      ['', 1],
      ['a', 6],
      ['b', 5],
    ]);
  });

  it('tells apart the first tenants and routes, and keeps the rest together for ever', () => {
    const { ledger } = ledgerOf('unallocated');
    const { index } = ledger.meterOf('cpu:0');
    for (const name of ['x', 'y', 'z', '', 'w', 'x'])
      ledger
        .meter(A)
        .account(tenant(name), CHARGES.of(name === 'w' ? 'eu' : 'default', 'direct'))
        .add(index, S, 1, 2, S);
    const lines = ledger.snapshot().lines.map(({ tenant: who, route, requests }) => [who, route, requests]);
    expect(lines).toEqual([
      ['x', 'default', 2],
      ['y', 'default', 1],
      ['(others)', 'default', 1],
      ['', 'default', 1],
      ['(others)', '(others)', 1],
    ]);
  });

  it('charges canary requests to their rollout and to no tenant', () => {
    const { ledger } = ledgerOf('unallocated');
    const { index } = ledger.meterOf('cpu:0');
    ledger.meter(A).account(tenant('x'), CHARGES.of('next', 'canary')).add(index, S, 1, 1, 0);
    expect(ledger.snapshot().lines).toMatchObject([{ tenant: '', route: 'next', kind: 'canary', amount: 1 }]);
    expect(ledger.snapshot().devices).toMatchObject([{ direct: 0, waste: 1 }]);
  });

  it('goes on where a version is loaded again, and keeps what one that is gone has cost', () => {
    const { clock, ledger } = ledgerOf('reserved');
    const { index } = ledger.meterOf('cpu:0');
    for (let load = 0; load < 2; load++) {
      const leave = ledger.resident(A, ['cpu:0'], 1);
      ledger.meter(A).warmUp.add(index, S, 1, 1, 0);
      clock.advance(S);
      leave();
    }
    expect(ledger.snapshot().lines).toMatchObject([{ kind: 'warm_up', deviceSeconds: 2 }]);
    expect(idleOf(ledger)).toEqual([['a', 2]]);
  });

  it('shows where something was not booked', () => {
    const { clock, ledger } = ledgerOf('unallocated');
    const meter = ledger.meterOf('cpu:0');
    meter.end(meter.begin(0), 0);
    const begun = meter.begin(clock.nowNs());
    clock.advance(S);
    meter.end(begun, clock.nowNs());
    clock.advance(3 * S);
    expect(ledger.snapshot().devices[0]?.conservationError).toBe(0.25);
  });

  it('has amounts of 0 and says so where no price is known', () => {
    const { clock, ledger } = ledgerOf('reserved', { priceOf: () => ({ kind: 'none', perHour: 0 }), devices: ['cpu'] });
    clock.advance(S);
    expect(ledger.snapshot().devices).toMatchObject([
      { device: 'cpu', priceKind: 'none', amount: 0, elapsedSeconds: 1 },
    ]);
  });

  it('is read once for all metrics of a scrape', async () => {
    const { ledger } = ledgerOf('reserved');
    let reads = 0;
    const families = costFamilies(() => {
      reads++;
      return ledger.snapshot();
    });
    await Promise.all(families.map((family) => family.get()));
    await Promise.all(families.map((family) => family.get()));
    expect(reads).toBe(2);
  });
});
