import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { SilentLog } from '../../test/support/silent-log.js';
import type { FeedbackChange } from '../core/index.js';
import { FeedbackJoin } from '../delivery/index.js';
import { StateStore } from '../store/index.js';

/** Two rollouts of two models; the first has two splits. */
const SPLITS = [
  { number: 7, rollout: 'r', baseline: 1, candidate: 2, model: 'm' },
  { number: 8, rollout: 'r', baseline: 1, candidate: 2, model: 'm' },
  { number: 9, rollout: 'q', baseline: 1, candidate: 2, model: 'n' },
] as const;
type Split = (typeof SPLITS)[number];
const IDS = 12;

/** A gateway's joins over its state file, and what its observations counted; `kill` forgets all that is not in the file. */
class Joins {
  #clock = new FakeClock();
  readonly #folder = mkdtempSync(join(tmpdir(), 'penstock-joins-'));
  readonly #settleMs: number;
  /** Tables of the store's that outlive each kill, without the disk. */
  readonly #tables: StateStore | undefined;
  #store: StateStore;
  #join: FeedbackJoin;
  failing = false;
  wanted = true;
  /** By rollout, what observations that are not kept yet counted of each metric. */
  #unkept = new Map<string, string[]>();
  /** Labels of each metric in observations that are kept. */
  readonly counted = new Map<string, number>();
  /** Called when all that is known is in the file. */
  onWritten: () => void = () => {};

  constructor(settleMs: number, keptIn: 'memory' | 'a file') {
    this.#settleMs = settleMs;
    if (keptIn === 'memory') this.#tables = new StateStore({ file: undefined, make: 'now', log: new SilentLog() });
    this.#store = this.#open();
    this.#store.commit({ routes: { model: 'm', document: undefined } });
    this.#join = this.#started();
  }

  predict(split: Split, id: string, version: number): void {
    this.#join.note({
      kind: 'settled',
      model: split.model,
      version,
      split: split.number,
      requestId: id,
      reason: undefined,
      totalNs: 1,
      execution: 1,
      deviceNs: 1,
      output: { topIndex: 3, topValue: 1, finite: true },
    });
  }

  /** Feedback of a metric that no other prediction has. */
  label(model: string, id: string): string {
    return this.#join.accept({ model, requestId: id, metric: `${model}${id}`, said: { kind: 'label', label: 4 } }).kind;
  }

  observe(rollout: string): void {
    const unkept = this.#unkept.get(rollout) ?? [];
    this.#unkept.set(rollout, unkept);
    for (const split of SPLITS) {
      if (split.rollout !== rollout) continue;
      for (const [metric, { baseline, candidate }] of Object.entries(this.#join.take(split)))
        for (let i = 0; i < baseline.labels + candidate.labels; i++) unkept.push(metric);
    }
  }

  commit(rollout: string): void {
    const feedback = this.#join.changeWith(rollout);
    const observed = { rollout, atMs: 1, kind: 'observed', body: '{}' };
    try {
      this.#mayFail();
      this.#store.commit({ decisions: [observed], ...(feedback && { feedback }) });
    } catch {
      return;
    }
    this.#join.keptWith(rollout);
    if (feedback !== undefined) this.onWritten();
    for (const metric of this.#unkept.get(rollout) ?? []) this.counted.set(metric, (this.counted.get(metric) ?? 0) + 1);
    this.#unkept.delete(rollout);
  }

  pass(ms: number): void {
    this.#clock.advance(ms * 1e6);
  }

  kill(): void {
    this.#unkept.clear();
    if (this.#tables === undefined) this.#store.close();
    // Timers end with the process.
    this.#clock = new FakeClock(this.#clock.nowNs());
    this.#store = this.#open();
    this.#join = this.#started();
  }

  /** An orderly end, and a start. */
  restart(): void {
    this.#join.stop();
    this.kill();
  }

  figures() {
    return this.#join.figures();
  }

  get store(): StateStore {
    return this.#store;
  }

  close(): void {
    this.#store.close();
    rmSync(this.#folder, { recursive: true });
  }

  #mayFail(): void {
    if (this.failing) throw new Error('the disk is full');
  }

  #open(): StateStore {
    if (this.#tables !== undefined) return this.#tables;
    return new StateStore({ file: join(this.#folder, 'state.db'), make: 'now', log: new SilentLog() });
  }

  #started(): FeedbackJoin {
    const store = this.#store;
    const started = new FeedbackJoin({
      maxPredictions: 1000,
      keepMs: 1e9,
      maxEarly: 1000,
      earlyMs: 1e9,
      settleMs: this.#settleMs,
      nowMs: () => this.#clock.wallMs(),
      classIndex: () => undefined,
      keep: {
        clock: this.#clock,
        log: new SilentLog(),
        wanted: () => this.wanted,
        store: {
          durable: true,
          keepFeedback: (change: FeedbackChange) => {
            this.#mayFail();
            store.keepFeedback(change);
            this.onWritten();
          },
          feedbackBunches: (after, most) => store.feedbackBunches(after, most),
          labelSums: () => store.labelSums(),
        },
      },
    });
    started.restore();
    return started;
  }
}

type Step =
  | { readonly do: 'predict'; readonly split: Split; readonly id: number; readonly version: number }
  | { readonly do: 'label'; readonly model: string; readonly id: number }
  | { readonly do: 'observe' | 'commit'; readonly rollout: string }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'fail'; readonly failing: boolean }
  | { readonly do: 'kill' | 'restart' };

const model = fc.constantFrom('m', 'n');
const rollout = fc.constantFrom('r', 'q');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('predict' as const),
      split: fc.constantFrom(...SPLITS),
      id: fc.nat(IDS - 1),
      version: fc.constantFrom(1, 2),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('label' as const), model, id: fc.nat(IDS - 1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('observe' as const), rollout }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), rollout }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 100, 251, 3000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), failing: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'restart' as const) }) },
);

/** What the joins must know: the simple side of the comparison. A prediction that two requests name has no label. */
class Reference {
  /** By model and id: requests that had it. */
  #requests = new Map<string, number>();
  #labels = new Map<string, 'waits' | 'joined'>();
  #written = { requests: new Map<string, number>(), labels: new Map<string, 'waits' | 'joined'>() };

  predict(key: string): void {
    const requests = (this.#requests.get(key) ?? 0) + 1;
    this.#requests.set(key, requests);
    if (this.#labels.get(key) === 'waits') this.#labels.set(key, 'joined');
  }

  label(key: string): string {
    const [requests, label] = [this.#requests.get(key) ?? 0, this.#labels.get(key)];
    if (requests > 1) return 'refused';
    if (label !== undefined) return 'duplicate';
    this.#labels.set(key, requests === 0 ? 'waits' : 'joined');
    return requests === 0 ? 'unknown' : 'joined';
  }

  written(): void {
    this.#written = { requests: new Map(this.#requests), labels: new Map(this.#labels) };
  }

  kill(): void {
    this.#requests = new Map(this.#written.requests);
    this.#labels = new Map(this.#written.labels);
  }

  get joined(): readonly string[] {
    return [...this.#labels].filter(([, label]) => label === 'joined').map(([key]) => key);
  }
}

function run(steps: readonly Step[], settleMs: number, keptIn: 'memory' | 'a file'): void {
  const joins = new Joins(settleMs, keptIn);
  const reference = new Reference();
  joins.onWritten = () => reference.written();
  try {
    for (const one of steps) {
      if (one.do === 'predict') {
        joins.predict(one.split, String(one.id), one.version);
        reference.predict(`${one.split.model}${one.id}`);
      } else if (one.do === 'label')
        expect(joins.label(one.model, String(one.id))).toBe(reference.label(`${one.model}${one.id}`));
      else if (one.do === 'observe') joins.observe(one.rollout);
      else if (one.do === 'commit') joins.commit(one.rollout);
      else if (one.do === 'pass') joins.pass(one.ms);
      else if (one.do === 'fail') joins.failing = one.failing;
      else {
        joins[one.do]();
        reference.kill();
      }
      for (const [metric, labels] of joins.counted) expect(labels, metric).toBe(1);
    }
    joins.failing = false;
    joins.restart();
    reference.kill();
    joins.pass(2 * settleMs + 1);
    for (const name of ['r', 'q']) {
      joins.observe(name);
      joins.commit(name);
    }
    expect([...joins.counted.keys()].sort()).toEqual([...reference.joined].sort());
    expect([...joins.counted.values()].every((labels) => labels === 1)).toBe(true);
    expect(joins.store.labelSums()).toEqual([]);
  } finally {
    joins.close();
  }
}

describe('joins of feedback over kills and restarts', () => {
  it.each([
    [0, 'memory'],
    [1e7, 'memory'],
    [0, 'a file'],
  ] as const)(
    'count each label that is written in one observation that is kept (settling time %d ms, %s)',
    (settleMs, keptIn) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => run(steps, settleMs, keptIn)),
        { numRuns: keptIn === 'a file' ? 8 : 150 },
      );
    },
    120_000,
  );

  it('lose no more than what was not written within a quarter of a second', () => {
    const joins = new Joins(0, 'a file');
    joins.predict(SPLITS[0], 'a', 1);
    expect(joins.figures().unwritten).toBe(1);
    joins.pass(250);
    expect(joins.figures().unwritten).toBe(0);
    joins.predict(SPLITS[0], 'b', 2);
    joins.kill();
    expect([joins.label('m', 'a'), joins.label('m', 'b')]).toEqual(['joined', 'unknown']);
    joins.close();
  });

  it('are written at the next turn where many came', () => {
    const joins = new Joins(0, 'a file');
    for (let i = 0; i < 500; i++) joins.predict(SPLITS[0], `p${i}`, 1);
    joins.pass(0);
    expect(joins.figures().unwritten).toBe(0);
    joins.close();
  });

  it('go from the file with the predictions that are forgotten', () => {
    const joins = new Joins(0, 'a file');
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 100; j++) joins.predict(SPLITS[0], `p${i} ${j}`, 1);
      joins.label('m', `p${i} 0`);
      joins.pass(250);
    }
    // 1,000 predictions, a hundred a bunch, and the one that is partly forgotten.
    expect(joins.store.feedbackBunches(0, 100).length).toBeLessThanOrEqual(11);
    joins.kill();
    expect(joins.figures().predictions).toBe(1000);
    expect([joins.label('m', 'p29 1'), joins.label('m', 'p29 0'), joins.label('m', 'p1 1')]).toEqual([
      'joined',
      'duplicate',
      'unknown',
    ]);
    joins.close();
  });

  it('are gone from the file once no rollout looks at labels', () => {
    const joins = new Joins(0, 'a file');
    joins.predict(SPLITS[0], 'a', 1);
    joins.label('m', 'a');
    joins.pass(250);
    expect(joins.store.feedbackBunches(0, 10)).toHaveLength(1);
    joins.wanted = false;
    joins.commit('r');
    joins.pass(250);
    expect(joins.store.feedbackBunches(0, 10)).toEqual([]);
    expect(joins.store.labelSums()).toEqual([]);
    joins.predict(SPLITS[0], 'b', 1);
    joins.pass(250);
    expect(joins.store.feedbackBunches(0, 10)).toEqual([]);
    joins.close();
  });
});
