import sketches from '@datadog/sketches-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencySketch } from './latency-sketch.js';
import { GAMMA, observeInSketch, RELATIVE_ACCURACY, SKETCH_BINS } from './sketch-bins.js';

const QUANTILES = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1];

/** Just on the border of two bins either is right, and what says which is how a logarithm is rounded. */
function liesInOneBin(ns: number): boolean {
  const key = Math.log(ns / 1e9) / Math.log(GAMMA);
  return Math.abs(key - Math.round(key)) > 1e-9;
}

/** Nanoseconds of 1 us to 1 h, as many small ones as large ones. */
const durationNs = fc
  .double({ min: Math.log(1001), max: Math.log(3.59e12), noNaN: true })
  .map(Math.exp)
  .filter(liesInOneBin);
/** Their merge loses what it has in its highest bin where that has the key 0, with sketches of theirs alone too. */
const mergeable = durationNs.filter((ns) => ns < 0.98e9 || ns > 1e9);
const MANY = { minLength: 1, maxLength: 300 };
const durations = fc.array(durationNs, MANY);

function sketchOf(valuesNs: readonly number[]): LatencySketch {
  const sketch = new LatencySketch();
  for (const ns of valuesNs) observeInSketch(sketch.bins, 0, ns);
  return sketch;
}

function datadogOf(valuesNs: readonly number[]) {
  const sketch = new sketches.DDSketch({ relativeAccuracy: RELATIVE_ACCURACY });
  for (const ns of valuesNs) sketch.accept(ns / 1e9);
  return sketch;
}

describe('a latency sketch', () => {
  it('tells every quantile with a relative error of at most 1 %', () => {
    fc.assert(
      fc.property(durations, (valuesNs) => {
        const sketch = sketchOf(valuesNs);
        const sorted = [...valuesNs].sort((a, b) => a - b);
        return QUANTILES.every((quantile) => {
          const exactS = (sorted[Math.floor(quantile * (sorted.length - 1))] as number) / 1e9;
          return Math.abs(sketch.quantileS(quantile) - exactS) <= RELATIVE_ACCURACY * 1.000001 * exactS;
        });
      }),
    );
  });

  it('merged from several replicas tells the same as one that saw all', () => {
    fc.assert(
      fc.property(fc.array(durations, { minLength: 1, maxLength: 5 }), (replicas) => {
        const merged = new LatencySketch();
        for (const valuesNs of replicas) {
          const sent = JSON.stringify(sketchOf(valuesNs).toObject());
          merged.merge(LatencySketch.fromObject(JSON.parse(sent)));
        }
        return Buffer.from(merged.bins.buffer).equals(Buffer.from(sketchOf(replicas.flat()).bins.buffer));
      }),
    );
  });

  it('tells what DDSketch of Datadog tells', () => {
    fc.assert(
      fc.property(durations, (valuesNs) => {
        const [ours, theirs] = [sketchOf(valuesNs), datadogOf(valuesNs)];
        return QUANTILES.every((quantile) => {
          const value = theirs.getValueAtQuantile(quantile);
          return Math.abs(ours.quantileS(quantile) - value) <= 1e-12 * value;
        });
      }),
    );
  });

  it('is read by Datadog from its protobuf, and merges with one of theirs', () => {
    fc.assert(
      fc.property(fc.array(mergeable, MANY), fc.array(mergeable, MANY), (ours, theirs) => {
        const read = sketches.DDSketch.fromProto(sketchOf(ours).toProtobuf());
        read.merge(datadogOf(theirs));
        const all = datadogOf([...ours, ...theirs]);
        // Both sums of logarithms are rounded in their own way: a quantile lies in the same bin.
        return QUANTILES.every((quantile) => {
          const value = all.getValueAtQuantile(quantile);
          return Math.abs(read.getValueAtQuantile(quantile) - value) <= 1e-9 * value;
        });
      }),
    );
  });

  it('tells what came between two states of it', () => {
    fc.assert(
      fc.property(durations, durations, (before, after) => {
        const since = sketchOf([...before, ...after]).since(sketchOf(before));
        return QUANTILES.every((quantile) => since.quantileS(quantile) === sketchOf(after).quantileS(quantile));
      }),
    );
  });

  it('that began anew since tells all it has', () => {
    const now = sketchOf([2e6]);
    expect(now.since(sketchOf([1e6, 1e6]))).toBe(now);
  });

  it.each([
    ['a microsecond', 1000, 0],
    ['less than a microsecond', 3, 0],
    ['nothing', 0, 0],
    ['a negative one', -5, 0],
    ['no number', Number.NaN, 0],
    ['an hour', 3.6e12, SKETCH_BINS - 1],
    ['more than an hour', 9e15, SKETCH_BINS - 1],
    ['an infinite one', Number.POSITIVE_INFINITY, SKETCH_BINS - 1],
  ])('counts durations at the ends of its range: %s', (_, ns, bin) => {
    expect(sketchOf([ns]).bins[bin]).toBe(1);
  });

  it('refuses a sketch of another accuracy', () => {
    const other = new sketches.DDSketch({ relativeAccuracy: 0.02 }).mapping.gamma;
    const object = {
      ...sketchOf([1e6]).toObject(),
      mapping: { gamma: other, indexOffset: 0, interpolation: 'NONE' as const },
    };
    expect(() => LatencySketch.fromObject(object)).toThrow(/gamma/);
  });

  it('without a duration has no quantile', () => {
    expect(new LatencySketch().quantileS(0.5)).toBeNaN();
    expect(LatencySketch.fromObject(new LatencySketch().toObject()).count).toBe(0);
  });
});
