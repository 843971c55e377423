import { describe, expect, it } from 'vitest';
import { observation } from '../../test/support/observations.js';
import { HardLimits } from './index.js';

const SPEC = { errorRate: 0.5, requests: 50, seconds: 60, notFinite: 3 };

describe('hard limits', () => {
  it('trip in the stretch in which more than half of the last 50 requests have failed', () => {
    const limits = new HardLimits(SPEC);
    // A long good past does not hide it.
    for (let i = 0; i < 100; i++) limits.observe(observation({ atMs: i * 250, candidate: { requests: 40 } }));
    expect(limits.observe(observation({ atMs: 25_000, candidate: { requests: 25, errors: 25 } }))).toBeUndefined();
    const tripped = limits.observe(observation({ atMs: 25_250, candidate: { requests: 25, errors: 25 } }));
    expect(tripped).toBe('50 of the last 50 requests of the candidate failed within 60 s, more than 50 %');
    expect(limits.observe(observation({ atMs: 25_500, candidate: { requests: 1000 } }))).toBe(tripped);
  });

  it('do not trip on few requests, on half of them, on those of long ago, or on the baseline', () => {
    const limits = new HardLimits(SPEC);
    expect(limits.observe(observation({ atMs: 0, candidate: { requests: 49, errors: 49 } }))).toBeUndefined();
    expect(limits.observe(observation({ atMs: 60_001, candidate: { requests: 1, errors: 1 } }))).toBeUndefined();
    expect(limits.observe(observation({ atMs: 200_000, candidate: { requests: 100, errors: 50 } }))).toBeUndefined();
    expect(limits.observe(observation({ atMs: 200_250, baseline: { requests: 99, errors: 99 } }))).toBeUndefined();
  });

  it('trip on answers that are no numbers, however long ago the first was', () => {
    const limits = new HardLimits(SPEC);
    limits.observe(observation({ candidate: { requests: 9, notFinite: 2 } }));
    expect(limits.tripped).toBeUndefined();
    limits.observe(observation({ atMs: 1e7, candidate: { requests: 9, notFinite: 1 } }));
    expect(limits.tripped).toContain('3 answers of the candidate');
  });
});
