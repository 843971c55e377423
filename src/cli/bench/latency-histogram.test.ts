import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.js';

describe('latency histogram', () => {
  it('keeps every quantile within 0.4 % of the exact one, or 0.1 us', () => {
    const latencies = fc.array(fc.double({ min: 0, max: 4e8, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
        expect(Math.abs(histogram.quantileUs(q) - exact)).toBeLessThanOrEqual(Math.max(0.1, exact * 0.004));
      }),
    );
  });

  it('tells least and greatest exactly, also of two that were joined', () => {
    const [one, other] = [new LatencyHistogram(), new LatencyHistogram()];
    one.record(12.345);
    other.record(98_765.43);
    one.add(other.data());
    expect(one.count).toBe(2);
    expect(one.quantileUs(0)).toBeCloseTo(12.345, 1);
    expect(one.quantileUs(1)).toBe(98_765.43);
    expect(LatencyHistogram.of(one.data()).data()).toEqual(one.data());
  });

  it('has no quantile where nothing was recorded', () => {
    expect(new LatencyHistogram().quantileUs(0.5)).toBeNaN();
    expect(new LatencyHistogram().data()).toEqual({ buckets: [], counts: [], minUs: 0, maxUs: 0 });
  });
});
