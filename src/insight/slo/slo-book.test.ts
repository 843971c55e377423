import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { sloOf } from '../../../test/support/slos.js';
import { type LedgerSnapshot, type Reason, type Slo, type SloStatus, spendsErrorBudget } from '../../core/index.js';
import { RoutePlaces } from '../latency/route-places.js';
import { VersionFigures } from '../version-figures.js';
import type { MinuteSources } from './minute-events.js';
import { SloBook } from './slo-book.js';

const MS = 1e6;
const MINUTE_NS = 60e9;
const NONE = { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 };

function setUp(slos: readonly Slo[], sources: Partial<MinuteSources> = {}) {
  const clock = new FakeClock();
  const places = new RoutePlaces();
  const versions: VersionFigures[] = [];
  const moves: string[] = [];
  const book = new SloBook(slos, {
    clock,
    places,
    sources: { ledger: undefined, writtenMs: () => undefined, versions: () => versions, ...sources },
    onMove: ({ name }, from, to) => moves.push(`${name}: ${from} -> ${to}`),
  });
  const figures = (version = 1, model = 'm') => {
    const made = new VersionFigures({ model, version }, () => clock.wallMs());
    versions.push(made);
    return made;
  };
  const retire = (one: VersionFigures) => {
    book.retiring(one);
    versions.splice(versions.indexOf(one), 1);
  };
  const status = (name = slos[0]?.name) => book.statuses().find(({ slo }) => slo.name === name) as SloStatus;
  const sums = (name?: string) => {
    const { good, events } = status(name);
    return [good, events];
  };
  return { clock, places, book, figures, retire, status, sums, moves };
}

function answer(figures: VersionFigures, count: number, ms = 1, route = 0): void {
  for (let i = 0; i < count; i++) figures.succeeded(1, NONE, ms * MS, route);
}

function fail(figures: VersionFigures, count: number, reason: Reason = 'BACKEND_FAILED', route = 0): void {
  for (let i = 0; i < count; i++) figures.failed(reason, MS, route);
}

describe('availability', () => {
  it('is spent by faults of the server alone', () => {
    const { figures, sums } = setUp([sloOf()]);
    const version = figures();
    answer(version, 100);
    const reasons: Reason[] = ['BACKEND_FAILED', 'QUEUE_FULL', 'DEADLINE_EXCEEDED', 'EXECUTOR_LOST'];
    for (const reason of reasons) fail(version, 1, reason);
    for (const reason of ['SHAPE_MISMATCH', 'CLIENT_CANCELLED', 'RATE_LIMITED', 'BLOCKED'] as const)
      fail(version, 10, reason);
    expect(reasons.every(spendsErrorBudget)).toBe(true);
    expect(sums()).toEqual([100, 104]);
  });

  it('counts versions that came and went, once', () => {
    const { figures, retire, sums } = setUp([sloOf()]);
    const first = figures(1);
    answer(first, 10);
    expect(sums()).toEqual([10, 10]);
    const second = figures(2);
    answer(second, 5);
    fail(first, 1);
    retire(first);
    answer(second, 5);
    expect(sums()).toEqual([20, 21]);
    answer(figures(1), 3);
    expect(sums()).toEqual([23, 24]);
  });

  it('of a model with no version that serves is spent by every request for it', () => {
    const { book, sums } = setUp([sloOf(), sloOf({ name: 'all', model: undefined }), sloOf({ name: 'v', version: 1 })]);
    book.absent('m');
    book.absent('other');
    expect([sums('answered'), sums('all'), sums('v')]).toEqual([
      [0, 1],
      [0, 2],
      [0, 0],
    ]);
  });

  it('can be that of a model, a version, a route, or of everything', () => {
    const slos = [
      sloOf({ name: 'all', model: undefined }),
      sloOf({ name: 'm', model: 'm' }),
      sloOf({ name: 'two', version: 2 }),
      sloOf({ name: 'beta', route: 'beta' }),
      sloOf({ name: 'nowhere', route: 'gamma' }),
    ];
    const { figures, places, sums, status } = setUp(slos);
    const { beta = 0 } = places.placesOf('m', ['default', 'beta']);
    answer(figures(1), 1, 1, beta);
    const two = figures(2);
    answer(two, 10, 1, beta);
    fail(two, 10, 'INTERNAL', beta);
    fail(two, 10, 'MALFORMED_REQUEST', beta);
    answer(figures(2, 'other'), 100);
    expect(['all', 'm', 'two', 'beta', 'nowhere'].map((name) => sums(name))).toEqual([
      [111, 121],
      [11, 21],
      [10, 20],
      [11, 21],
      [0, 0],
    ]);
    expect(status('nowhere').missing).toContain("route 'gamma'");
    expect(status('beta').missing).toBeUndefined();
  });
});

describe('latency', () => {
  it('is spent by answers that took longer', () => {
    const fast = sloOf({ objective: { kind: 'latency', underMs: 20 }, target: 0.9 });
    const { figures, status } = setUp([fast]);
    const version = figures();
    answer(version, 95, 19.7);
    answer(version, 5, 20.3);
    fail(version, 50);
    expect(status()).toMatchObject({ good: 95, events: 100 });
    expect(status().budgetRemaining).toBeCloseTo(0.5, 9);
  });

  it('by a route is counted exactly at a bound of its histogram', () => {
    const fast = sloOf({ objective: { kind: 'latency', underMs: 25 }, route: 'beta' });
    const { figures, places, sums } = setUp([fast]);
    const { beta = 0 } = places.placesOf('m', ['beta']);
    const version = figures();
    answer(version, 3, 25, beta);
    answer(version, 4, 25.001, beta);
    answer(version, 5, 1000);
    expect(sums()).toEqual([3, 7]);
  });
});

describe('quality', () => {
  it('is spent by predictions that feedback finds wrong, or by values that are too low', () => {
    const right = sloOf({ name: 'right', objective: { kind: 'quality', metric: 'quality', atLeast: undefined } });
    const value = sloOf({ name: 'value', objective: { kind: 'quality', metric: 'revenue', atLeast: 2 } });
    const { book, sums } = setUp([right, value]);
    book.judged('m', 1, 'quality', true, 0);
    book.judged('m', 1, 'quality', false, 1);
    book.judged('other', 1, 'quality', false, 1);
    for (const revenue of [1, 2, 3]) book.judged('m', 1, 'revenue', undefined, revenue);
    expect([sums('right'), sums('value')]).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });
});

describe('what is looked at once a minute', () => {
  const line = (amount: number, requests: number, kind = 'direct', model = 'm') => ({
    device: 'cpu',
    model,
    version: 1,
    tenant: '',
    route: '',
    kind: kind as 'direct',
    deviceSeconds: 0,
    amount,
    requests,
    rows: requests,
    aloneSeconds: 0,
  });
  const PRICED = {
    device: 'cpu',
    pricePerHour: 1,
    priceKind: 'market' as const,
    elapsedSeconds: 0,
    busySeconds: 0,
    runningSeconds: 0,
    conservationError: 0,
    amount: 0,
    direct: 0,
    waste: 0,
    idle: 0,
  };
  const snapshot = (...lines: ReturnType<typeof line>[]): LedgerSnapshot => ({
    sinceMs: 0,
    atMs: 0,
    currency: 'USD',
    devices: [PRICED],
    idle: [],
    lines,
  });

  it('a minute is too dear where its requests cost more, waste included, releases and other models not', () => {
    let ledger = snapshot(line(1, 10));
    const dear = sloOf({ objective: { kind: 'cost', perRequest: 0.1 } });
    const { clock, figures, sums } = setUp([dear], { ledger: () => ledger });
    figures();
    const minute = (next: LedgerSnapshot) => {
      ledger = next;
      clock.advance(MINUTE_NS);
      return sums();
    };
    expect(minute(snapshot(line(2, 20)))).toEqual([1, 1]);
    expect(minute(snapshot(line(2, 20)))).toEqual([1, 1]);
    expect(minute(snapshot(line(3, 30), line(0.01, 0, 'padding')))).toEqual([1, 2]);
    const rest = [line(9, 90, 'shadow'), line(9, 90, 'canary'), line(9, 1, 'direct', 'other')];
    expect(minute(snapshot(line(3.9, 40), line(0.01, 0, 'padding'), ...rest))).toEqual([2, 3]);
  });

  it('where no device has a price says so', () => {
    const free = { ...snapshot(line(0, 10)), devices: [{ ...PRICED, pricePerHour: 0 }] };
    const dear = sloOf({ objective: { kind: 'cost', perRequest: 0.1 } });
    const { clock, figures, status } = setUp([dear], { ledger: () => free });
    figures();
    clock.advance(MINUTE_NS);
    expect(status()).toMatchObject({ events: 0, missing: 'no device has a price' });
  });

  it('without a ledger says so', () => {
    const { clock, figures, status } = setUp([sloOf({ objective: { kind: 'cost', perRequest: 0.1 } })]);
    figures();
    clock.advance(MINUTE_NS);
    expect(status()).toMatchObject({ events: 0, missing: 'no cost ledger is kept' });
  });

  it('the version that serves is fresh so long after its files were written', () => {
    const fresh = sloOf({ objective: { kind: 'freshness', of: 'version', maxAgeHours: 0.05 } });
    const written = new Map<number, number>();
    const { clock, figures, sums } = setUp([fresh], { writtenMs: ({ version }) => written.get(version) });
    clock.advance(MINUTE_NS);
    expect(sums()).toEqual([0, 0]);
    figures(1);
    written.set(1, clock.wallMs());
    for (let minute = 0; minute < 5; minute++) clock.advance(MINUTE_NS);
    expect(sums()).toEqual([3, 5]);
    figures(2);
    written.set(2, clock.wallMs());
    clock.advance(MINUTE_NS);
    expect(sums()).toEqual([4, 6]);
  });

  it('answers are fresh so long after the last one', () => {
    const fresh = sloOf({ objective: { kind: 'freshness', of: 'answer', maxAgeHours: 0.05 } });
    const { clock, figures, sums } = setUp([fresh]);
    const version = figures();
    for (let minute = 0; minute < 4; minute++) clock.advance(MINUTE_NS);
    expect(sums()).toEqual([3, 4]);
    version.executed(1, 0, 0, 0, 0);
    clock.advance(MINUTE_NS);
    expect(sums()).toEqual([4, 5]);
  });
});

describe('burning', () => {
  it('pages where the hour and the last five minutes burn fast, and ends when the five minutes are well', () => {
    const { clock, figures, moves, status } = setUp([sloOf({ target: 0.99, minEvents: 100 })]);
    const version = figures();
    const minutes = (count: number, good: number, bad: number) => {
      for (let i = 0; i < count; i++) {
        answer(version, good);
        fail(version, bad);
        clock.advance(MINUTE_NS);
      }
    };
    minutes(60, 100, 0);
    expect(status().state).toBe('ok');
    minutes(20, 50, 50);
    expect(moves).toEqual(['answered: ok -> ticket', 'answered: ticket -> page']);
    expect(status().burn.find((window) => window.minutes === 5)?.rate).toBeCloseTo(50, 0);
    expect(status().budgetRemaining).toBeLessThan(0);
    minutes(45, 100, 0);
    expect(moves.slice(2)).toEqual(['answered: page -> ticket']);
    minutes(60 * 24 * 4, 10, 0);
    expect(moves.slice(3)).toEqual(['answered: ticket -> ok']);
  });

  it('wakes nobody for few events', () => {
    const { clock, figures, moves } = setUp([sloOf({ minEvents: 10 })]);
    const version = figures();
    fail(version, 9);
    clock.advance(MINUTE_NS);
    expect(moves).toEqual([]);
    fail(version, 1);
    clock.advance(MINUTE_NS);
    expect(moves).toEqual(['answered: ok -> page']);
  });

  it('reaches somebody also where the target is low', () => {
    const { clock, figures, moves } = setUp([sloOf({ target: 0.5 })]);
    fail(figures(), 100);
    clock.advance(MINUTE_NS);
    expect(moves).toEqual(['answered: ok -> page']);
  });
});

describe('SLOs beside a model', () => {
  it('go on where a load leaves them as they are, begin anew where they change, and go with their file', () => {
    const { book, figures, sums } = setUp([sloOf()]);
    const beside = (changes: Partial<Slo> = {}) => sloOf({ name: 'm/own', ...changes });
    const version = figures();
    answer(version, 10);
    book.filed('m', [beside()]);
    answer(version, 5);
    expect(sums('m/own')).toEqual([5, 5]);
    book.filed('m', [beside()]);
    expect(sums('m/own')).toEqual([5, 5]);
    book.filed('m', [beside({ target: 0.9 })]);
    expect(sums('m/own')).toEqual([0, 0]);
    book.filed('other', []);
    expect(book.statuses().map(({ slo }) => slo.name)).toEqual(['answered', 'm/own']);
    book.filed('m', []);
    expect(book.statuses().map(({ slo }) => slo.name)).toEqual(['answered']);
    expect(sums()).toEqual([15, 15]);
    book.stop();
  });
});
