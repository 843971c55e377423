import { describe, expect, it } from 'vitest';
import type { Reason, ReleaseSplit, SettledFact } from '../../core/index.js';
import type { FeedbackTally } from '../observation.js';
import { Collector } from './collector.js';

const SPLIT: ReleaseSplit = {
  number: 1,
  rollout: 'r',
  baseline: 3,
  candidate: 4,
  canaryBuckets: 1000,
  shadowBuckets: 0,
  salt: 's',
  key: undefined,
};

const FACT: SettledFact = {
  kind: 'settled',
  model: 'm',
  version: 3,
  split: 1,
  requestId: '',
  reason: undefined,
  totalNs: 5e6,
  execution: 0,
  deviceNs: 1e6,
  output: undefined,
};

function collector({
  cold = 0,
  calibrated = true,
  labels = undefined as Record<number, FeedbackTally> | undefined,
} = {}) {
  const time = { ns: 0 };
  const collected = new Collector({
    baseline: 3,
    candidate: 4,
    calibrationExecutions: 100,
    coldStartExecutions: cold,
    nowNs: () => time.ns,
    labels: labels && {
      splits: () => Object.keys(labels).map(Number),
      take: ({ number }) => ({ quality: labels[number]! }),
    },
  });
  collected.split(SPLIT);
  if (calibrated) collected.calibrate({ latencyLimitsNs: [2e6, 4e6, 8e6], executions: 100 });
  let execution = 0;
  return {
    collected,
    note: (fact: Partial<SettledFact>) => collected.note({ ...FACT, ...fact }),
    execute: (requests: readonly Partial<SettledFact>[]) => {
      execution++;
      for (const fact of requests) collected.note({ ...FACT, execution, ...fact });
    },
    /** Cuts once all that came is whole. */
    cut: () => {
      time.ns += 1e9;
      return collected.cut(7);
    },
    time,
  };
}

describe('observations of facts', () => {
  it('count the requests of an execution together, and its time once: that of the first one answered', () => {
    const { execute, cut } = collector();
    execute([{ totalNs: 5e6 }, { totalNs: 9e6 }, { reason: 'BACKEND_FAILED' }]);
    execute([
      { version: 4, reason: 'BACKEND_FAILED' },
      { version: 4, reason: 'BACKEND_FAILED' },
    ]);
    const [seen, ...others] = cut();
    expect(others).toEqual([]);
    expect(seen).toMatchObject({ atMs: 7, split: 1, share: 0.1 });
    expect(seen?.baseline).toMatchObject({
      requests: 3,
      errors: 1,
      errorsTogether: [1],
      executions: 1,
      slower: [1, 1, 0],
    });
    expect(seen?.baseline).toMatchObject({
      largestExecution: 3,
      deviceBySize: [{ count: 0 }, { count: 0 }, { count: 1, sum: 3e6 }],
    });
    expect(seen?.candidate).toMatchObject({ requests: 2, errors: 2, errorsTogether: [0, 1], executions: 0 });
  });

  it('wait for the rest of an execution whose requests come from several threads', () => {
    const { collected, execute, cut, time } = collector();
    execute([{}, {}]);
    time.ns += 1e6;
    expect(collected.cut(1)).toEqual([]);
    collected.note({ ...FACT, execution: 1, reason: 'INTERNAL' });
    expect(cut()[0]?.baseline).toMatchObject({ requests: 3, errors: 1, errorsTogether: [1], executions: 1 });
    collected.note({ ...FACT, execution: 1, reason: 'INTERNAL' });
    expect(cut()[0]?.baseline).toMatchObject({ requests: 1, errors: 1, errorsTogether: [], executions: 0 });
  });

  it.each<[Reason, number, number]>([
    ['BACKEND_FAILED', 1, 1],
    ['DEADLINE_EXCEEDED', 1, 1],
    ['QUEUE_FULL', 1, 1],
    ['SHAPE_MISMATCH', 0, 0],
    ['RATE_LIMITED', 0, 0],
    ['CLIENT_CANCELLED', 0, 0],
  ])('count %s as %i requests and %i errors', (reason, requests, errors) => {
    const { note, cut } = collector();
    note({ reason });
    note({});
    expect(cut()[0]?.baseline).toMatchObject({ requests: requests + 1, errors });
  });

  it('go to the split that assigned the request, and to no arm where another version answered', () => {
    const { collected, note, cut } = collector();
    collected.split({ ...SPLIT, number: 2, canaryBuckets: 5000 });
    note({ split: 2, version: 4 });
    note({ split: 1, version: 4 });
    note({ split: 9, version: 4 });
    note({ split: 1, version: 5 });
    expect(cut().map(({ split, share, candidate }) => [split, share, candidate.requests])).toEqual([
      [1, 0.1, 1],
      [2, 0.5, 1],
    ]);
    expect(cut()).toEqual([]);
  });

  it('leave out the times of the first executions of a candidate, after each load, and count their requests', () => {
    const { collected, execute, cut } = collector({ cold: 2 });
    for (let i = 0; i < 3; i++) execute([{ version: 4 }]);
    expect(cut()[0]?.candidate).toMatchObject({ requests: 3, executions: 1 });
    collected.reloaded('candidate');
    for (let i = 0; i < 3; i++) execute([{ version: 4 }]);
    expect(cut()[0]?.candidate).toMatchObject({ requests: 3, executions: 1 });
  });

  it('measure the baseline by one time an execution, at its quantiles', () => {
    const { collected, execute, cut } = collector({ calibrated: false });
    for (let i = 1; i <= 99; i++) execute([{ totalNs: i }, { totalNs: 1e9 }]);
    execute([{ version: 4, totalNs: 1e9 }]);
    cut();
    expect(collected.calibration()).toBeUndefined();
    execute([{ totalNs: 100 }]);
    cut();
    expect(collected.calibration()).toEqual({ latencyLimitsNs: [50, 90, 99], executions: 100 });
  });

  it('count answers by where their largest element is, and those that are no numbers', () => {
    const { note, cut } = collector();
    for (const [topIndex, finite] of [
      [0, true],
      [62, true],
      [63, true],
      [500, true],
      [-1, false],
    ] as const)
      note({ output: { topIndex, topValue: 2, finite } });
    const { outputs, outputValue, notFinite } = cut()[0]!.baseline;
    expect([outputs.length, outputs[0], outputs[62], outputs[63]]).toEqual([64, 1, 1, 3]);
    expect(outputValue).toEqual({ count: 5, sum: 10, sumOfSquares: 20 });
    expect(notFinite).toBe(1);
  });

  it('take labels by the split of their prediction, also without a request', () => {
    const value = { count: 1, sum: 1, sumOfSquares: 1 };
    const label = { labels: 1, wrong: 1, value };
    const { cut } = collector({ labels: { 1: { baseline: label, candidate: label } } });
    expect(cut()[0]).toMatchObject({ split: 1, share: 0.1, feedback: { quality: { candidate: { wrong: 1 } } } });
  });

  it('stay within bounds whatever comes', () => {
    const { collected, execute, cut } = collector();
    for (let i = 0; i < 20_000; i++) execute([{}]);
    for (let number = 2; number < 1000; number++) collected.split({ ...SPLIT, number });
    collected.note({ ...FACT, split: 1 });
    expect(cut()).toEqual([]);
    collected.note({ ...FACT, split: 999 });
    expect(cut()).toHaveLength(1);
  });
});
