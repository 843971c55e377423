import { describe, expect, it } from 'vitest';
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
    expect(table.route('m', undefined).primary).toBe('ten');
  });

  it('sends a request to the version it names', () => {
    expect(table.route('m', 2)).toEqual({ primary: 'two', shadows: [], table: 1 });
  });

  it('refuses unknown models and versions with their own reasons', () => {
    expect(reason(() => table.route('n', undefined))).toBe('MODEL_NOT_FOUND');
    expect(reason(() => table.route('m', 3))).toBe('VERSION_NOT_FOUND');
    expect(reason(() => table.route('__proto__', undefined))).toBe('MODEL_NOT_FOUND');
  });

  it('leaves an older table as it was when a newer one is made', () => {
    const newer = table.with('m', []).with('k', [{ version: 1, target: 'k1' }]);
    expect(newer.number).toBe(3);
    expect(reason(() => newer.route('m', undefined))).toBe('MODEL_NOT_FOUND');
    expect(table.route('m', undefined).primary).toBe('ten');
    expect(newer.versions('k').map((e) => e.version)).toEqual([1]);
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
