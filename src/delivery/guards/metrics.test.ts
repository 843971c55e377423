import { describe, expect, it } from 'vitest';
import { observation } from '../../../test/support/observations.js';
import { createGuards, type Guard, type GuardSpec, type Observation } from '../index.js';
import type { LabelTally, Moments } from '../observation.js';
import { randomStream } from '../power/random-stream.js';

const COMMON = { name: 'watched', weight: 1, minObservations: 20 };

/** The guard after it has seen these, or its first verdict. */
function watched(spec: GuardSpec, next: (stretch: number) => Observation, stretches = 2000): Guard {
  const [guard] = createGuards([spec], 0.01, undefined) as [Guard];
  for (let i = 0; i < stretches && guard.verdict === 'inconclusive'; i++) guard.observe(next(i));
  return guard;
}

function times(...values: number[]): Moments {
  return {
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    sumOfSquares: values.reduce((sum, value) => sum + value * value, 0),
  };
}

const NONE: Moments = times();

describe('cost', () => {
  const cost: GuardSpec = { ...COMMON, metric: 'cost', maxRatio: 1.2 };
  const uniform = randomStream(1);
  const draw = (factor: number) => () => factor * (0.5 + uniform());
  const many = (count: number, of: () => number) => times(...Array.from({ length: count }, of));

  it('does not hold small batches against the arm that has a small share', () => {
    // A request of the candidate's costs four times as much, as it is alone.
    const guard = watched(cost, () =>
      observation({
        candidate: { requests: 5, deviceBySize: [many(5, draw(4e6))] },
        baseline: {
          requests: 45,
          deviceBySize: [many(5, draw(4e6)), NONE, NONE, NONE, NONE, NONE, NONE, many(5, draw(8e6))],
        },
      }),
    );
    expect(guard.verdict).toBe('pass');
    expect(guard.evidence().estimate.baseline).toBeCloseTo(60e6 / 45, -5);
    expect(guard.evidence().explanation).toMatch(
      /^executions of the candidate take .* proven less than 1.2 times the baseline's/,
    );
  });

  it('stops a candidate whose executions take half as long again', () => {
    const guard = watched(cost, () =>
      observation({
        candidate: { requests: 5, deviceBySize: [many(5, draw(6e6))] },
        baseline: { requests: 20, deviceBySize: [many(20, draw(4e6))] },
      }),
    );
    expect(guard.verdict).toBe('fail');
    const { estimate, difference } = guard.evidence();
    expect(estimate.candidate! / estimate.baseline!).toBeCloseTo(1.5, 1);
    expect(difference!.lower).toBeGreaterThan(0);
  });

  it('says nothing where the arms never have executions of a size', () => {
    const guard = watched(
      cost,
      () =>
        observation({
          candidate: { deviceBySize: [many(5, draw(6e6))] },
          baseline: { deviceBySize: [NONE, many(5, draw(6e6))] },
        }),
      100,
    );
    expect(guard.evidence()).toMatchObject({
      verdict: 'inconclusive',
      explanation: expect.stringContaining('no executions'),
    });
  });
});

describe('output drift', () => {
  const drift: GuardSpec = { ...COMMON, metric: 'output-drift', maxTotalVariation: 0.1 };
  const outputs = (...cells: number[]) => ({ outputs: cells });

  it('stops a candidate that names one class far more often', () => {
    const guard = watched(drift, () => observation({ candidate: outputs(10, 30), baseline: outputs(100, 100) }));
    expect(guard.verdict).toBe('fail');
    expect(guard.evidence().estimate.candidate).toBeCloseTo(0.25);
    expect(guard.evidence().difference!.lower).toBeGreaterThan(0.1);
  });

  it('passes one that names all as often, not at small counts', () => {
    const seen = observation({ candidate: outputs(20, 20, 0, 2), baseline: outputs(200, 200, 0, 20) });
    expect(watched(drift, () => seen, 10).verdict).toBe('inconclusive');
    expect(watched(drift, () => seen).verdict).toBe('pass');
  });
});

describe('shadow', () => {
  it('passes copies proven to agree often enough, and counts those that failed against it', () => {
    const spec: GuardSpec = { ...COMMON, metric: 'shadow-agreement', of: 'all', min: 0.95 };
    const copies = { compared: 20, agreed: 20 };
    expect(watched(spec, () => observation({ shadow: copies })).verdict).toBe('pass');
    const failing = watched(spec, () => observation({ shadow: { ...copies, failed: 4 } }));
    expect(failing.verdict).toBe('fail');
    expect(failing.evidence().explanation).toMatch(/copies agree with the baseline \(83.3 %, .* proven less than 95 %/);
  });

  it('looks at the top answer alone where asked', () => {
    const shadow = { compared: 20, agreed: 0, topCompared: 20, topAgreed: 20 };
    const spec = (of: 'all' | 'top'): GuardSpec => ({ ...COMMON, metric: 'shadow-agreement', of, min: 0.9 });
    expect(watched(spec('all'), () => observation({ shadow })).verdict).toBe('fail');
    expect(watched(spec('top'), () => observation({ shadow })).verdict).toBe('pass');
  });

  it.each([
    ['rank-correlation', 0.9, 0.99, 'pass'],
    ['rank-correlation', 0.9, 0.7, 'fail'],
    ['total-variation', 0.1, 0.02, 'pass'],
    ['total-variation', 0.1, 0.3, 'fail'],
  ] as const)('%s beside %d: a mean of %d is a %s', (of, limit, mean, verdict) => {
    const values = times(mean - 0.01, mean, mean + 0.01);
    const shadow = of === 'rank-correlation' ? { rankCorrelation: values } : { totalVariation: values };
    const guard = watched({ ...COMMON, metric: 'shadow-distance', of, limit }, () => observation({ shadow }));
    expect(guard.verdict).toBe(verdict);
    expect(guard.evidence().estimate.candidate).toBeCloseTo(mean);
  });
});

describe('feedback', () => {
  const label = (labels: number, wrong: number): LabelTally => ({ labels, wrong, value: NONE });
  const quality: GuardSpec = { ...COMMON, metric: 'quality', feedback: 'label', maxRatio: 1.5, maxDifference: 0.05 };
  const arms = { candidate: { requests: 20 }, baseline: { requests: 60 } };

  it('stops a candidate that is wrong more often', () => {
    const seen = observation({ ...arms, feedback: { label: { candidate: label(10, 4), baseline: label(30, 5) } } });
    const guard = watched(quality, () => seen);
    expect(guard.verdict).toBe('fail');
    expect(guard.evidence().explanation).toMatch(/labelled predictions of the candidate were wrong \(40 %\)/);
    expect(guard.evidence().explanation).toContain(
      "labels came for 50 % of the candidate's requests and 50 % of the baseline's",
    );
  });

  it('passes one that is right as often, but not where its labels are missing', () => {
    const seen = (labels: number, wrong: number) =>
      observation({ ...arms, feedback: { label: { candidate: label(labels, wrong), baseline: label(30, 3) } } });
    expect(watched(quality, () => seen(10, 1)).verdict).toBe('pass');
    const guard = watched(quality, () => seen(5, 0));
    expect(guard.verdict).toBe('inconclusive');
    expect(guard.evidence().explanation).toContain('those that came do not speak for the others');
  });

  it('knows nothing of other feedback', () => {
    const seen = observation({ ...arms, feedback: { other: { candidate: label(9, 9), baseline: label(9, 0) } } });
    expect(watched(quality, () => seen, 50).evidence()).toMatchObject({ verdict: 'inconclusive', logHarm: 0 });
  });

  it.each([
    ['higher', 0.5, 'fail'],
    ['higher', 1, 'pass'],
    ['higher', 1.5, 'pass'],
    ['lower', 1.5, 'fail'],
    ['lower', 0.5, 'pass'],
  ] as const)('values of which %s is better, at %d times the mean: %s', (better, times1, verdict) => {
    const uniform = randomStream(2);
    const values = (count: number, factor: number): LabelTally => {
      const value = times(...Array.from({ length: count }, () => factor * 4 * uniform()));
      return { labels: count, wrong: 0, value };
    };
    const spec: GuardSpec = { ...COMMON, metric: 'kpi', feedback: 'sales', better, maxLoss: 0.3, range: [0, 10] };
    const guard = watched(spec, () =>
      observation({ ...arms, feedback: { sales: { candidate: values(5, times1), baseline: values(15, 1) } } }),
    );
    expect(guard.verdict).toBe(verdict);
    expect(guard.evidence().estimate.candidate).toBeCloseTo(2 * times1, 0);
  });
});
