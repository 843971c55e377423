import { describe, expect, it } from 'vitest';
import type { GoodputPoint } from './goodput-point.js';
import { searchGoodput } from './goodput-search.js';

const OPTIONS = { from: 100, to: 100_000, share: 0.99, precision: 0.02, tries: 1 };

function point(offeredPerSecond: number, share: number): GoodputPoint {
  const requests = 10_000;
  const inTime = Math.round(requests * share);
  const none = { late: requests - inTime, refused: 0, outOfTime: 0, failed: 0, firstError: undefined };
  const times = { p50Ms: 1, p99Ms: 1, refusalP99Ms: Number.NaN, generatorLateP99Ms: 0 };
  return { offeredPerSecond, requests, inTime, inTimePerSecond: offeredPerSecond * share, ...none, ...times };
}

/** A server that answers all in time up to `limit`, and less and less of it above. */
const upTo = (limit: number) => async (perSecond: number) => point(perSecond, Math.min(1, limit / perSecond));

describe('the search for the goodput', () => {
  it.each([3, 60, 99.5, 100, 101, 900, 20_000])('finds %d requests/s from a guess of 100', async (limit) => {
    const { perSecond, points } = await searchGoodput(upTo(limit), OPTIONS);
    expect(perSecond).toBeLessThanOrEqual(limit / 0.99);
    expect(perSecond).toBeGreaterThan((limit / 0.99) * 0.97);
    expect(points.length).toBeLessThan(20);
    expect(points.some(({ offeredPerSecond }) => offeredPerSecond === perSecond)).toBe(true);
  });

  it('says none where no rate near the guess will do', async () => {
    expect((await searchGoodput(upTo(0), OPTIONS)).perSecond).toBe(0);
  });

  it('goes no higher than it is told', async () => {
    const { perSecond, points } = await searchGoodput(upTo(1e6), { ...OPTIONS, to: 150 });
    expect(perSecond).toBe(150);
    for (const { offeredPerSecond } of points) expect(offeredPerSecond).toBeLessThanOrEqual(150);
  });

  it('tries a rate again where it failed by little, and not where it failed by much', async () => {
    const tried: number[] = [];
    const flaky = async (perSecond: number) => {
      tried.push(perSecond);
      const stalled = tried.filter((rate) => rate === perSecond).length === 1;
      return point(perSecond, perSecond > 500 ? 0.5 : stalled ? 0.98 : 1);
    };
    const { perSecond } = await searchGoodput(flaky, { ...OPTIONS, tries: 2 });
    expect(perSecond).toBeGreaterThan(480);
    for (const rate of tried) expect(tried.filter((other) => other === rate).length).toBe(rate > 500 ? 1 : 2);
  });
});
