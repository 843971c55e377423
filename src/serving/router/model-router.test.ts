import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelRoutes, releaseSplit } from '../../../test/support/routes.js';
import { request } from '../../../test/support/specs.js';
import type { InferenceRequest, ModelRelease, ModelRoutes } from '../../core/index.js';
import { RoutingTable } from './index.js';

const ENTRIES = [1, 2, 3].map((version) => ({ version, target: version }));

function router(routes: Partial<ModelRoutes> | undefined, release?: ModelRelease) {
  const traffic = { routes: routes && modelRoutes(routes), release };
  const table = RoutingTable.empty<number>((one) => one.tenantHeader ?? '').with('m', ENTRIES, traffic);
  return {
    table,
    route: (changes: Partial<InferenceRequest> = {}) => {
      const { primary, mark, split, shadows } = table.route(request(changes));
      return { version: primary, route: mark.route, split, shadows: shadows.map(({ target }) => target) };
    },
    /** The versions that `count` users get. */
    users(count: number): number[] {
      return Array.from({ length: count }, (_, i) => table.route(request(user(`u${i}`))).primary);
    },
  };
}

const user = (name: string) => ({ caller: { headers: { 'x-user': name }, client: '' } });
const BY_USER = { from: 'header', name: 'x-user' } as const;
const split = (...percents: number[]) => ({
  arms: percents.map((percent, i) => ({ to: i + 1, percent })),
  key: BY_USER,
  salt: 's',
  flag: undefined,
});
const share = (versions: readonly number[], version: number) =>
  versions.filter((one) => one === version).length / versions.length;

describe('routes of a model', () => {
  it('send what no rule takes to their default: a version, a label or a split', () => {
    expect(router({ default: 1 }).route()).toMatchObject({ version: 1, route: 'default' });
    expect(router({ default: 'stable', labels: { stable: 2 } }).route()).toMatchObject({ version: 2 });
    expect(router({}).route()).toMatchObject({ version: 3, route: 'default' });
    expect(router({ default: 'ab', splits: { ab: split(100, 0) } }).route()).toMatchObject({ version: 1, route: 'ab' });
  });

  it('give a client the version it names, whatever they say', () => {
    const { route } = router(
      { default: 1, rules: [{ name: 'all', when: { of: { from: 'tenant' }, exists: false }, to: 2, flag: undefined }] },
      { defaultVersion: 1, split: releaseSplit({ canaryBuckets: 10_000 }) },
    );
    expect(route()).toMatchObject({ version: 2, route: 'all' });
    expect(route({ version: 1 })).toEqual({ version: 1, route: 'named', split: 0, shadows: [] });
  });

  it('send the requests of a sequence one way, where nothing else says which', () => {
    const { route } = router({ default: 'ab', splits: { ab: split(50, 50, 0) } });
    const of = (id: number) =>
      Array.from({ length: 8 }, (_, i) => route({ sequence: { id, start: i === 0, end: false } }).version);
    const versions = Array.from({ length: 40 }, (_, i) => of(i + 1));
    for (const each of versions) expect(new Set(each).size).toBe(1);
    expect(new Set(versions.map(([first]) => first))).toEqual(new Set([1, 2]));
  });

  it('divide callers by their key as the weights say, each always alike', () => {
    const versions = router({ default: 'ab', splits: { ab: split(70, 20, 10) } }).users(20_000);
    expect(share(versions, 1)).toBeCloseTo(0.7, 1);
    expect(share(versions, 2)).toBeCloseTo(0.2, 1);
    expect(share(versions, 3)).toBeCloseTo(0.1, 1);
    expect(router({ default: 'ab', splits: { ab: split(70, 20, 10) } }).users(20_000)).toEqual(versions);
  });

  it('keep whom a version had when its weight is raised', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 40 }), (before, more) => {
        const narrow = router({ default: 'ab', splits: { ab: split(90 - before - 0, before, 10) } }).users(300);
        const most = Math.min(more, 90 - before);
        const wide = router({ default: 'ab', splits: { ab: split(90 - before - most, before + most, 10) } }).users(300);
        for (const [i, version] of narrow.entries()) expect([version, version === 1 ? 2 : version]).toContain(wide[i]);
      }),
      { numRuns: 25 },
    );
  });

  it('draw requests without the key, in the same shares', () => {
    const { route } = router({ default: 'ab', splits: { ab: split(75, 25) } });
    const versions = Array.from({ length: 4000 }, () => route().version);
    expect(share(versions, 2)).toBeGreaterThan(0.22);
    expect(share(versions, 2)).toBeLessThan(0.28);
  });

  it('switch rules, splits and shadows by flags', () => {
    const routes = (on: boolean): Partial<ModelRoutes> => ({
      flags: { on },
      default: 'ab',
      splits: { ab: { ...split(0, 100), flag: 'on' } },
      rules: [{ name: 'vip', when: { of: { from: 'tenant' }, equals: 'vip' }, to: 3, flag: 'on' }],
      shadows: [{ name: 'copy', to: 3, percent: 100, when: undefined, flag: 'on' }],
    });
    expect(router(routes(true)).route()).toEqual({ version: 2, route: 'ab', split: 0, shadows: [3] });
    expect(router(routes(true)).route({ tenantHeader: 'vip' })).toMatchObject({
      version: 3,
      route: 'vip',
      shadows: [],
    });
    expect(router(routes(false)).route({ tenantHeader: 'vip' })).toEqual({
      version: 1,
      route: 'ab',
      split: 0,
      shadows: [],
    });
  });

  it('copy the part of the requests that a shadow asks for', () => {
    const { route } = router({
      default: 1,
      shadows: [{ name: 'c', to: 2, percent: 20, when: undefined, flag: undefined }],
    });
    const copied = Array.from({ length: 5000 }, () => route()).filter(({ shadows }) => shadows.length > 0).length;
    expect(copied / 5000).toBeCloseTo(0.2, 1);
  });

  it('want of transports what their keys and conditions read, in tables of all models together', () => {
    const condition = {
      all: [
        { of: { from: 'cookie', name: 'id' }, exists: true },
        { not: { of: { from: 'header', name: 'X-Tier' }, equals: 'a' } },
      ],
    } as const;
    const { table } = router({ rules: [{ name: 'r', when: condition, to: 1, flag: undefined }] });
    expect(table.wanted).toEqual({ headers: ['cookie', 'x-tier'], client: false });
    const more = table.with('k', [{ version: 1, target: 1 }], {
      routes: modelRoutes({
        shadows: [{ name: 's', to: 1, percent: 1, when: { of: { from: 'client' }, prefix: '10.' }, flag: undefined }],
      }),
      release: undefined,
    });
    expect(more.wanted).toEqual({ headers: ['cookie', 'x-tier'], client: true });
    expect(more.with('m', []).wanted).toEqual({ headers: [], client: true });
  });

  it('that lead to nowhere make no table', () => {
    const table = RoutingTable.empty<number>();
    expect(() => table.with('m', ENTRIES, { routes: modelRoutes({ default: 4 }), release: undefined })).toThrow(
      /version 4 is not served/,
    );
    expect(() =>
      table.with('m', ENTRIES, { routes: modelRoutes({ splits: { ab: split(50, 40) } }), release: undefined }),
    ).toThrow(/sum to 90/);
    expect(() =>
      table.with('m', ENTRIES, { routes: undefined, release: { defaultVersion: 9, split: undefined } }),
    ).toThrow(/version 9/);
  });
});

describe('a release', () => {
  it('takes the place of the highest version', () => {
    expect(router(undefined, { defaultVersion: 1, split: undefined }).route()).toMatchObject({ version: 1 });
    expect(router({}, { defaultVersion: 1, split: undefined }).route()).toMatchObject({ version: 1 });
    expect(router({ default: 2 }, { defaultVersion: 1, split: undefined }).route()).toMatchObject({ version: 2 });
  });

  it('divides what would go to its baseline, by any way, and names itself as the route', () => {
    const release = { defaultVersion: 1, split: releaseSplit({ canaryBuckets: 2500, shadowBuckets: 5000 }) };
    const { route, users } = router(
      { rules: [{ name: 'three', when: { of: BY_USER, prefix: 'u1' }, to: 3, flag: undefined }] },
      release,
    );
    expect(route(user('u1'))).toEqual({ version: 3, route: 'three', split: 0, shadows: [] });
    const seen = Array.from({ length: 8000 }, (_, i) => route(user(`v${i}`)));
    expect(new Set(seen.map((one) => `${one.route} ${one.split}`))).toEqual(new Set(['r 7']));
    expect(
      share(
        seen.map(({ version }) => version),
        2,
      ),
    ).toBeCloseTo(0.25, 1);
    const baseline = seen.filter(({ version }) => version === 1);
    expect(baseline.filter(({ shadows }) => shadows[0] === 2).length / baseline.length).toBeCloseTo(0.5, 1);
    expect(seen.every(({ version, shadows }) => version === 1 || shadows.length === 0)).toBe(true);
    expect(users(50)).toEqual(users(50));
  });

  it('keeps whom its candidate had when it gets more', () => {
    const at = (canaryBuckets: number) =>
      router(undefined, { defaultVersion: 1, split: releaseSplit({ canaryBuckets }) }).users(2000);
    const stages = [100, 500, 2500, 5000, 10_000].map(at);
    for (const [i, stage] of stages.entries())
      for (const [n, version] of stage.entries()) if (version === 2) expect(stages[i + 1]?.[n] ?? 2).toBe(2);
    expect(new Set(stages[4])).toEqual(new Set([2]));
    expect(new Set(at(0))).toEqual(new Set([1]));
  });
});
