import { describe, expect, it } from 'vitest';
import { modelRoutes, releaseSplit } from '../../test/support/routes.js';
import { fittingTraffic, routeFaults } from './index.js';

const WHEN = { of: { from: 'tenant' }, exists: true } as const;
const ROUTES = modelRoutes({
  labels: { old: 1, next: 2 },
  default: 'ab',
  splits: {
    ab: {
      arms: [
        { to: 'old', percent: 60 },
        { to: 'next', percent: 30 },
        { to: 3, percent: 10 },
      ],
      key: undefined,
      salt: 's',
      flag: undefined,
    },
  },
  rules: [{ name: 'r', when: WHEN, to: 'next', flag: undefined }],
  shadows: [{ name: 's', to: 2, percent: 100, when: undefined, flag: undefined }],
});

describe('traffic that has to fit the versions that serve', () => {
  it('stays as it is where they all do', () => {
    const release = { defaultVersion: 1, split: releaseSplit() };
    const { traffic, leftOut } = fittingTraffic({ routes: ROUTES, release }, [1, 2, 3]);
    expect(traffic).toEqual({ routes: ROUTES, release });
    expect(leftOut).toEqual([]);
  });

  it('loses what leads to a version that is gone, its share going to the first of the split that serves', () => {
    const { traffic, leftOut } = fittingTraffic({ routes: ROUTES, release: undefined }, [1, 3]);
    expect(traffic.routes?.splits.ab?.arms).toEqual([
      { to: 'old', percent: 60 },
      { to: 'old', percent: 30 },
      { to: 3, percent: 10 },
    ]);
    expect(traffic.routes).toMatchObject({ labels: { old: 1 }, rules: [], shadows: [], default: 'ab' });
    expect(leftOut).toEqual(["version next of split 'ab'", "label 'next'", "rule 'r'", "shadow 's'"]);
    expect(routeFaults(traffic.routes as typeof ROUTES, [1, 3])).toEqual([]);
  });

  it('falls back to the highest version where nothing of its default is left', () => {
    const { traffic } = fittingTraffic({ routes: ROUTES, release: undefined }, [4]);
    expect(traffic.routes).toMatchObject({ default: undefined, splits: {}, labels: {} });
  });

  it('of a release stops to divide without its candidate, and says nothing without its default version', () => {
    const release = { defaultVersion: 1, split: releaseSplit() };
    expect(fittingTraffic({ routes: undefined, release }, [1, 3]).traffic.release).toEqual({
      defaultVersion: 1,
      split: undefined,
    });
    expect(fittingTraffic({ routes: undefined, release }, [2, 3]).traffic.release).toBeUndefined();
  });
});
