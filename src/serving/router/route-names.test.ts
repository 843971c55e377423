import { expect, it } from 'vitest';
import { modelRoutes } from '../../../test/support/routes.js';
import { request } from '../../../test/support/specs.js';
import type { ModelTraffic } from '../../core/index.js';
import { routeNames } from './route-names.js';
import { RoutingTable } from './routing-table.js';

const when = (equals: string) => ({ of: { from: 'request-id' as const }, equals });
const split = {
  arms: [
    { to: 1, percent: 50 },
    { to: 2, percent: 50 },
  ],
  key: undefined,
  salt: 's',
  flag: undefined,
};
const TRAFFIC: ModelTraffic = {
  routes: modelRoutes({
    default: 'ab',
    splits: { ab: split },
    rules: [{ name: 'beta', when: when('b'), to: 2, flag: undefined }],
    filters: [
      { name: 'away', when: when('a'), action: { reroute: 1 }, enabled: true, flag: undefined },
      { name: 'odd', when: when('o'), action: { block: 'no' }, enabled: true, flag: undefined },
    ],
    fallback: { to: 1, onError: true, afterMs: undefined },
  }),
  release: {
    defaultVersion: 2,
    split: {
      number: 4,
      rollout: 'r1',
      baseline: 1,
      candidate: 2,
      canaryBuckets: 5000,
      shadowBuckets: 0,
      salt: 's',
      key: undefined,
    },
  },
};

it('names every route that a request can take', () => {
  const names = routeNames(TRAFFIC);
  const places = Object.fromEntries(names.map((name, i) => [name, i + 1]));
  const entries = [1, 2].map((version) => ({ version, target: version }));
  const table = RoutingTable.empty<number>().with('m', entries, { ...TRAFFIC, places });
  const seen = new Set<string>();
  for (const id of ['a', 'b', 'o', ...Array.from({ length: 50 }, () => 'x')])
    for (const version of [undefined, 1]) {
      const decision = table.route(request({ model: 'm', id, version }));
      for (const { mark } of [decision, decision.fallback?.decision ?? decision]) {
        seen.add(mark.route);
        expect(mark.place).toBe(places[mark.route]);
      }
    }
  expect([...seen].sort()).toEqual(['ab', 'away', 'beta', 'fallback', 'named', 'odd', 'r1']);
  expect(names).toEqual(['default', 'named', 'r1', 'fallback', 'ab', 'beta', 'away', 'odd']);
});

it('a model without routes has none', () => {
  expect(routeNames({ routes: undefined, release: undefined })).toEqual([]);
  const table = RoutingTable.empty<number>().with('m', [{ version: 1, target: 1 }]);
  expect(table.route(request({ model: 'm', version: undefined })).mark.place).toBe(0);
});
