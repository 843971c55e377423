import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Feedback, Judgment, SettledFact } from '../../core/index.js';
import { FeedbackJoin, type FeedbackJoinOptions } from '../index.js';

const SPLIT = { number: 7, rollout: 'r', baseline: 1, candidate: 2 };

function setUp(options: Partial<FeedbackJoinOptions> = {}) {
  let nowMs = 1_000_000;
  const join = new FeedbackJoin({
    maxPredictions: 100,
    keepMs: 60_000,
    maxEarly: 100,
    earlyMs: 5_000,
    settleMs: 0,
    nowMs: () => nowMs,
    classIndex: (_, version, text) => (version === 2 ? ['cat', 'dog'] : ['dog', 'cat']).indexOf(text),
    ...options,
  });
  const predicted = (requestId: string, version = 1, topIndex: number | 'none' = 3, rest: Partial<SettledFact> = {}) =>
    join.note({
      kind: 'settled',
      model: 'm',
      version,
      split: SPLIT.number,
      requestId,
      reason: undefined,
      totalNs: 1,
      execution: 1,
      deviceNs: 1,
      output: topIndex === 'none' ? undefined : { topIndex, topValue: 1, finite: true },
      ...rest,
    });
  const feedback = (
    requestId: string,
    said: Judgment = { kind: 'correct', correct: false },
    metric = 'quality',
  ): Feedback => ({
    model: 'm',
    requestId,
    metric,
    said,
  });
  const says = (requestId: string, said?: Judgment, metric?: string) =>
    join.accept(feedback(requestId, said, metric)).kind;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { join, predicted, says, feedback, pass };
}

describe('feedback', () => {
  it('counts for the arm whose version made the prediction, by metric', () => {
    const { join, predicted, says } = setUp();
    predicted('a', 1);
    predicted('b', 2);
    predicted('c', 2);
    says('a', { kind: 'correct', correct: true });
    says('b', { kind: 'correct', correct: false });
    says('c', { kind: 'value', value: 2.5 }, 'revenue');
    expect(join.take(SPLIT)).toEqual({
      quality: {
        baseline: { labels: 1, wrong: 0, value: { count: 1, sum: 0, sumOfSquares: 0 } },
        candidate: { labels: 1, wrong: 1, value: { count: 1, sum: 1, sumOfSquares: 1 } },
      },
      revenue: {
        baseline: { labels: 0, wrong: 0, value: { count: 0, sum: 0, sumOfSquares: 0 } },
        candidate: { labels: 1, wrong: 0, value: { count: 1, sum: 2.5, sumOfSquares: 6.25 } },
      },
    });
    expect(join.take(SPLIT)).toEqual({});
  });

  it.each([
    ['its index', 3, 1, 0],
    ['another index', 4, 1, 1],
    ['the name of its class in that version', 'cat', 1, 0],
    ['the name of another class', 'dog', 1, 1],
  ])('compares a label with the prediction: %s', (_, label, version, wrong) => {
    const { join, predicted, says } = setUp();
    predicted('a', version, typeof label === 'string' ? 1 : 3);
    says('a', { kind: 'label', label });
    expect(join.take(SPLIT).quality?.baseline).toMatchObject({ labels: 1, wrong });
  });

  it('refuses a label where there is nothing to compare it with', () => {
    const { join, predicted, feedback } = setUp({ classIndex: () => undefined });
    predicted('numbers');
    predicted('texts', 1, 'none');
    expect(join.accept(feedback('numbers', { kind: 'label', label: 'cat' }))).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('no class of this name'),
    });
    expect(join.accept(feedback('texts', { kind: 'label', label: 1 }))).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('no output of numbers'),
    });
  });

  it('is taken once for a prediction and a metric', () => {
    const { predicted, says } = setUp();
    predicted('a');
    expect([says('a'), says('a'), says('a', undefined, 'other')]).toEqual(['joined', 'duplicate', 'joined']);
  });

  it('that comes before its prediction waits for it, so long', () => {
    const { join, predicted, says, pass } = setUp();
    expect([says('a'), says('a'), says('b')]).toEqual(['unknown', 'duplicate', 'unknown']);
    pass(5_000);
    predicted('a', 2);
    pass(1);
    predicted('b', 2);
    expect(join.take(SPLIT).quality?.candidate.labels).toBe(1);
    expect(says('a')).toBe('duplicate');
    expect(join.figures()).toMatchObject({ joinedEarly: 1, waiting: 0, outcomes: { unknown: 2, duplicate: 2 } });
  });

  it('for a prediction that is forgotten is unknown', () => {
    const { predicted, says, pass, join } = setUp({ maxPredictions: 2 });
    for (const id of ['a', 'b', 'c']) predicted(id);
    expect([says('a'), says('b'), says('c')]).toEqual(['unknown', 'joined', 'joined']);
    pass(60_001);
    expect(says('c', undefined, 'later')).toBe('unknown');
    expect(join.figures().predictions).toBe(0);
  });

  it('is refused where several requests had the id, and requests without one are not remembered', () => {
    const { join, predicted, feedback, says } = setUp();
    predicted('1', 1);
    predicted('1', 2);
    predicted('');
    expect(join.accept(feedback('1'))).toEqual({ kind: 'refused', why: 'several requests had this id' });
    expect(says('')).toBe('unknown');
    expect(join.figures()).toMatchObject({ ambiguous: 1, unnamed: 1, predictions: 1 });
  });

  it('does not count for requests that failed', () => {
    const { predicted, says } = setUp();
    predicted('a', 1, 'none', { reason: 'BACKEND_FAILED' });
    expect(says('a')).toBe('unknown');
  });

  it('tells how many predictions of each version have any', () => {
    const { join, predicted, says } = setUp();
    for (const id of ['a', 'b', 'c']) predicted(id, 2);
    says('a');
    says('a', { kind: 'value', value: 1 }, 'revenue');
    expect(join.figures().versions).toEqual([{ model: 'm', version: 2, predicted: 3, labelled: 1 }]);
  });
});

describe('with a settling time', () => {
  it('labels of one time of prediction are handed on together, when slow ones had their time too', () => {
    const { join, predicted, says, pass } = setUp({ settleMs: 10_000 });
    predicted('quick', 1);
    predicted('slow', 2);
    says('quick');
    pass(9_000);
    says('slow');
    expect(join.take(SPLIT)).toEqual({});
    expect(join.splits()).toEqual([7]);
    pass(2_001);
    expect(join.take(SPLIT).quality).toMatchObject({ baseline: { labels: 1 }, candidate: { labels: 1 } });
    expect(join.splits()).toEqual([]);
  });

  it('a label that comes after it is late, in either arm', () => {
    const { predicted, says, pass } = setUp({ settleMs: 10_000 });
    predicted('a', 1);
    predicted('b', 2);
    pass(10_001);
    expect([says('a'), says('b')]).toEqual(['late', 'late']);
  });
});

type Step =
  | { readonly do: 'predict'; readonly id: number; readonly version: number }
  | { readonly do: 'label'; readonly id: number; readonly metric: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'take' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('predict' as const), id: fc.nat(30), version: fc.constantFrom(1, 2) }),
  fc.record({ do: fc.constant('label' as const), id: fc.nat(30), metric: fc.nat(1) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.nat(3_000) }),
  fc.constant({ do: 'take' as const }),
);

describe('in any order of predictions and labels', () => {
  it.each([0, 4_000])('no label is counted twice, and memory stays bounded (settling time %i ms)', (settleMs) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { join, predicted, says, pass } = setUp({
          maxPredictions: 8,
          keepMs: 5_000,
          maxEarly: 6,
          earlyMs: 2_000,
          settleMs,
        });
        let given = 0;
        const take = () => {
          for (const { baseline, candidate } of Object.values(join.take(SPLIT)))
            given += baseline.labels + candidate.labels;
        };
        for (const one of steps) {
          if (one.do === 'predict') predicted(String(one.id), one.version);
          else if (one.do === 'label') says(String(one.id), undefined, `m${one.metric}`);
          else if (one.do === 'pass') pass(one.ms);
          else take();
          const { predictions, waiting } = join.figures();
          if (predictions > 8 || waiting > 6) return false;
        }
        pass(20_000);
        take();
        const { outcomes, joinedEarly } = join.figures();
        return given === outcomes.joined + joinedEarly && join.splits().length === 0;
      }),
      { numRuns: 300 },
    );
  });

  it('a prediction never has more than one label of a metric', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { join, predicted, says, pass } = setUp({
          maxPredictions: 1000,
          maxEarly: 1000,
          keepMs: 1e9,
          earlyMs: 1e9,
        });
        const ids = new Set<number>();
        for (const one of steps) {
          if (one.do === 'predict') predicted(String(one.id), one.version);
          else if (one.do === 'label') {
            ids.add(one.id);
            says(String(one.id), undefined, `m${one.metric}`);
          } else if (one.do === 'pass') pass(one.ms);
        }
        const counted = Object.values(join.take(SPLIT)).map((tally) => tally.baseline.labels + tally.candidate.labels);
        return counted.every((labels) => labels <= ids.size);
      }),
      { numRuns: 300 },
    );
  });
});
