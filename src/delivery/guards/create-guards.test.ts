import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observation } from '../../../test/support/observations.js';
import { type Calibration, createGuards, type Guard, type GuardSpec, type Observation } from '../index.js';

const MARGINS = { weight: 1, minObservations: 50, maxRatio: 2, maxDifference: 0.005 };
const SPECS: readonly GuardSpec[] = [
  { metric: 'error-rate', name: 'errors', ...MARGINS },
  { metric: 'latency', name: 'p99', quantile: 0.99, ...MARGINS },
  { metric: 'latency', name: 'p50', quantile: 0.5, ...MARGINS, weight: 2 },
];
const COMMON = { weight: 1, minObservations: 20 };
const ALL: readonly GuardSpec[] = [
  ...SPECS,
  { metric: 'cost', name: 'cost', maxRatio: 1.2, ...COMMON },
  { metric: 'output-drift', name: 'drift', maxTotalVariation: 0.1, ...COMMON },
  { metric: 'shadow-agreement', name: 'all', of: 'all', min: 0.95, ...COMMON },
  { metric: 'shadow-agreement', name: 'top', of: 'top', min: 0.5, ...COMMON },
  { metric: 'shadow-distance', name: 'rank', of: 'rank-correlation', limit: 0.9, ...COMMON },
  { metric: 'shadow-distance', name: 'variation', of: 'total-variation', limit: 0.05, ...COMMON },
  { metric: 'quality', name: 'quality', feedback: 'label', ...MARGINS },
  { metric: 'kpi', name: 'sales', feedback: 'label', better: 'higher', maxLoss: 0.2, range: [-1, 3], ...COMMON },
  { metric: 'kpi', name: 'waiting', feedback: 'label', better: 'lower', maxLoss: 0.2, range: [0, 10], ...COMMON },
];
const CALIBRATION: Calibration = { latencyLimitsNs: [1e6, 2e6, 4e6], executions: 1000 };

function guards(specs = SPECS, alpha = 0.01): readonly Guard[] {
  return createGuards(specs, alpha, CALIBRATION);
}

/** Shows the guard the same stretch until it has a verdict. */
function watch(guard: Guard, seen: Observation, most = 1000): number {
  for (let i = 1; i <= most; i++) if (guard.observe(seen) !== 'inconclusive') return i;
  return most;
}

describe('guards of a plan', () => {
  it('divide alpha by weight', () => {
    const limits = guards().map((guard) => Math.exp(-guard.evidence().logHarmLimit));
    expect(limits.map((limit) => Number(limit.toPrecision(6)))).toEqual([0.0025, 0.0025, 0.005]);
  });

  it('let times differ by as much as the plan says is no harm', () => {
    // 15 % slower executions beside 10 %: odds of 1.59.
    const [baseline, candidate] = [
      { requests: 400, executions: 400, slower: [200, 40, 4] },
      { requests: 400, executions: 400, slower: [200, 60, 4] },
    ];
    const verdictAt = (harmRatio: number | undefined) => {
      const spec = { metric: 'latency', name: 'p90', quantile: 0.9, ...MARGINS, maxRatio: 1.01 } as const;
      const [guard] = guards([harmRatio === undefined ? spec : { ...spec, harmRatio }]) as [Guard];
      watch(guard, observation({ baseline, candidate }), 200);
      return guard.verdict;
    };
    expect([undefined, 1, 1.25, 2].map(verdictAt)).toEqual(['fail', 'fail', 'fail', 'inconclusive']);
  });

  it('refuse to watch times that nothing is known of yet', () => {
    expect(() => createGuards(SPECS, 0.01, undefined)).toThrow("guard 'p99' needs the times of the baseline");
    expect(createGuards(SPECS.slice(0, 1), 0.01, undefined)).toHaveLength(1);
  });

  it('stop a candidate that fails more often, and say so', () => {
    const [errors] = guards() as [Guard];
    const seen = observation({
      baseline: { requests: 190, errors: 1 },
      candidate: { requests: 10, errors: 1 },
      share: 0.05,
    });
    expect(watch(errors, seen)).toBeLessThan(20);
    expect(errors.verdict).toBe('fail');
    const { difference, estimate, logHarm, logHarmLimit, explanation } = errors.evidence();
    expect(logHarm).toBeGreaterThanOrEqual(logHarmLimit);
    expect(estimate.candidate).toBeCloseTo(0.1);
    expect(difference?.upper).toBeGreaterThan(0.05);
    expect(explanation).toMatch(/requests of the candidate failed \(10 %\), .* proven more often than the baseline/);
  });

  it('pass a candidate that never fails once that is proven, not before', () => {
    const [errors] = guards() as [Guard];
    expect(watch(errors, observation({ baseline: { requests: 100 }, candidate: { requests: 100 } }))).toBeGreaterThan(
      10,
    );
    expect(errors.verdict).toBe('pass');
    expect(errors.evidence().difference?.upper).toBeLessThan(0.005);
  });

  it('take longer where requests of an execution could fail together', () => {
    const seen = (largestExecution: number) =>
      observation({ baseline: { requests: 100, largestExecution }, candidate: { requests: 100, largestExecution } });
    const [[alone], [together]] = [guards() as [Guard], guards() as [Guard]];
    expect(watch(together, seen(8))).toBeGreaterThan(6 * watch(alone, seen(1)));
  });

  it('stop a slow candidate by its executions', () => {
    const [, p99, p50] = guards() as [Guard, Guard, Guard];
    const baseline = { requests: 800, executions: 100, slower: [50, 10, 1] };
    const seen = observation({ baseline, candidate: { requests: 40, executions: 10, slower: [6, 3, 2] }, share: 0.05 });
    expect(watch(p99, seen)).toBeLessThan(10);
    expect(p99.evidence().explanation).toContain('executions of the candidate took more than 4 ms');
    expect(p50.observe(seen)).toBe('inconclusive');
  });

  it('look at nothing while one arm has no traffic', () => {
    for (const guard of guards()) {
      const seen = observation({ share: 1, candidate: { requests: 99, errors: 99, executions: 9, slower: [9, 9, 9] } });
      expect(watch(guard, seen, 50)).toBe(50);
      expect(guard.evidence()).toMatchObject({ verdict: 'inconclusive', logHarm: 0 });
    }
  });
});

const moments = (from: number, to: number) =>
  fc.array(fc.double({ min: from, max: to, noNaN: true }), { maxLength: 6 }).map((values) => ({
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    sumOfSquares: values.reduce((sum, value) => sum + value * value, 0),
  }));
const arm = fc
  .record({
    executions: fc.nat(40),
    size: fc.integer({ min: 1, max: 16 }),
    alone: fc.nat(3),
    together: fc.array(fc.nat(2), { maxLength: 8 }),
    slow: fc.nat(10),
    deviceBySize: fc.array(moments(1e3, 1e9), { maxLength: 5 }),
    outputs: fc.array(fc.nat(9), { maxLength: 64 }),
  })
  .map(({ executions, size, alone, together, slow, ...rest }) => ({
    requests: executions * size + alone + together.reduce((sum, n, i) => sum + n * (i + 1), 0),
    errors: alone + together.reduce((sum, n, i) => sum + n * (i + 1), 0),
    errorsTogether: together,
    executions,
    largestExecution: Math.max(size, together.length),
    slower: [Math.min(executions, slow * 2), Math.min(executions, slow), Math.min(executions, slow >> 2)],
    ...rest,
  }));
const shadow = fc
  .record({
    compared: fc.nat(20),
    agreed: fc.nat(20),
    failed: fc.nat(2),
    dropped: fc.nat(2),
    rankCorrelation: moments(-1, 1),
    totalVariation: moments(0, 1),
  })
  .map((tally) => {
    const agreed = Math.min(tally.agreed, tally.compared);
    return { ...tally, agreed, topCompared: tally.compared, topAgreed: agreed };
  });
const tally = fc
  .record({ wrong: fc.nat(3), value: moments(-2, 4) })
  .map(({ wrong, value }) => ({ labels: value.count, wrong: Math.min(wrong, value.count), value }));
const feedback = fc.option(fc.record({ label: fc.record({ candidate: tally, baseline: tally }) }), { nil: undefined });
const observations = fc.array(
  fc
    .record({
      split: fc.nat(2),
      share: fc.constantFrom(0, 0.05, 0.5, 1),
      baseline: arm,
      candidate: arm,
      shadow,
      feedback,
    })
    .map(({ feedback: labels, ...what }) =>
      observation({ ...what, ...(labels === undefined ? {} : { feedback: labels }) }),
    ),
  { maxLength: 40 },
);

describe('guards as folds', () => {
  it('give the same for the same observations, whoever stands beside them, and no number that is none', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        const [once, again] = [guards(ALL), guards(ALL.toReversed())];
        for (const one of seen) for (const guard of [...once, ...again]) guard.observe(one);
        for (const guard of once) {
          const evidence = guard.evidence();
          expect(again.find(({ name }) => name === guard.name)?.evidence()).toEqual(evidence);
          expect(JSON.stringify(evidence)).not.toContain('null');
          expect(evidence.explanation).not.toMatch(/NaN|Infinity|undefined/);
          if (evidence.difference !== undefined)
            expect(evidence.difference.lower).toBeLessThanOrEqual(evidence.difference.upper);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keep their first verdict', () => {
    fc.assert(
      fc.property(observations, observations, (seen, later) => {
        for (const guard of guards(ALL, 0.9)) {
          for (const one of seen) guard.observe(one);
          if (guard.verdict === 'inconclusive') continue;
          const evidence = structuredClone(guard.evidence());
          for (const one of later) guard.observe(one);
          expect(guard.evidence()).toEqual(evidence);
        }
      }),
      { numRuns: 100 },
    );
  });
});
