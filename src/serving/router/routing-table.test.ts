import { describe, expect, it } from 'vitest';
import { request } from '../../../test/support/specs.js';
import type { ServingError } from '../../core/index.js';
import { RoutingTable } from './index.js';

const reason = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as ServingError).reason;
  }
  return undefined;
};

describe('routing table', () => {
  const table = RoutingTable.empty<string>().with('m', [
    { version: 10, target: 'ten' },
    { version: 2, target: 'two' },
  ]);

  it('sends a request without a version to the numerically highest', () => {
    expect(table.route(request()).primary).toBe('ten');
  });

  it('sends a request to the version it names', () => {
    const { primary, mark, split, shadows } = table.route(request({ version: 2 }));
    expect({ primary, split, shadows }).toEqual({ primary: 'two', split: 0, shadows: [] });
    expect(mark).toMatchObject({ version: 2, route: 'named', table: 1, routed: false });
    expect(mark.headers).toEqual(['x-penstock-version', '2', 'x-penstock-route', 'named', 'x-penstock-table', '1']);
  });

  it('decides without making anything for a request where a model has no routes', () => {
    expect(table.route(request())).toBe(table.route(request({ id: 'other' })));
    expect(table.route(request({ version: 2 }))).toBe(table.route(request({ version: 2 })));
    expect(table.wanted).toBeUndefined();
  });

  it('refuses unknown models and versions with their own reasons', () => {
    expect(reason(() => table.route(request({ model: 'n' })))).toBe('MODEL_NOT_FOUND');
    expect(reason(() => table.route(request({ version: 3 })))).toBe('VERSION_NOT_FOUND');
    expect(reason(() => table.route(request({ model: '__proto__' })))).toBe('MODEL_NOT_FOUND');
  });

  it('leaves an older table as it was when a newer one is made', () => {
    const newer = table.with('m', []).with('k', [{ version: 1, target: 'k1' }]);
    expect(newer.number).toBe(3);
    expect(reason(() => newer.route(request()))).toBe('MODEL_NOT_FOUND');
    expect(table.route(request()).primary).toBe('ten');
    expect(newer.versions('k').map((e) => e.version)).toEqual([1]);
    expect([newer.numberOf('k'), newer.numberOf('m'), table.numberOf('m')]).toEqual([3, 0, 1]);
  });

  it('takes the number of the table it follows on another thread', () => {
    const follower = RoutingTable.empty<string>().with('m', [{ version: 1, target: 'one' }], undefined, 17);
    expect([follower.number, follower.route(request()).mark.table]).toEqual([17, 17]);
  });

  it('refuses a version that stands twice', () => {
    expect(() =>
      table.with('m', [
        { version: 1, target: 'a' },
        { version: 1, target: 'b' },
      ]),
    ).toThrow(/twice/);
  });
});
