import { describe, expect, it } from 'vitest';
import { policy } from '../../../test/support/specs.js';
import { type BatchPolicy, NO_DEADLINE } from '../../core/index.js';
import type { SchedulingView } from './scheduling-view.js';
import { decideByKnobs } from './triton-knobs.js';

const MS = 1e6;

interface Case {
  readonly policy?: Partial<BatchPolicy>;
  /** Rows of the candidates, the head first; all came at 0 unless `cameNs` says otherwise. */
  readonly rows: readonly number[];
  readonly cameNs?: readonly number[];
  readonly atNs?: number;
  readonly view?: Partial<SchedulingView>;
  readonly expected: object;
}

const run = (members: number) => ({ kind: 'run', members });
const wait = (untilNs: number, untilRows: number) => ({ kind: 'wait', untilNs, untilRows });
const delayed = { maxBatchSize: 8, maxQueueDelayUs: 1000 };

const CASES: Readonly<Record<string, Case>> = {
  'nothing waits: nothing to do': { rows: [], expected: { kind: 'idle' } },
  'no slot is free: nothing to do': { rows: [1], view: { freeSlots: 0 }, expected: { kind: 'idle' } },
  'without a delay, what waits runs at once': { rows: [1, 1], expected: run(2) },
  'without a batch axis, one request an execution': { policy: { maxBatchSize: 0 }, rows: [1], expected: run(1) },
  'without dynamic batching, one request an execution': { policy: { dynamic: false }, rows: [1, 1], expected: run(1) },
  'a delay waits for the largest size': { policy: delayed, rows: [1, 2], expected: wait(MS, 8) },
  'the delay counts from the oldest': {
    policy: delayed,
    rows: [1, 1],
    cameNs: [500, 100],
    expected: wait(MS + 100, 8),
  },
  'the delay is over': { policy: delayed, rows: [1, 1], atNs: MS, expected: run(2) },
  'one nanosecond before its end the delay is not over': {
    policy: delayed,
    rows: [1],
    atNs: MS - 1,
    expected: wait(MS, 8),
  },
  'a full batch does not wait': { policy: delayed, rows: [4, 4], view: { saturated: true }, expected: run(2) },
  'a batch that cannot grow does not wait': { policy: delayed, rows: [5], view: { saturated: true }, expected: run(1) },
  'a drain does not wait': { policy: delayed, rows: [1], view: { draining: true }, expected: run(1) },
  'a preferred size runs at once, and exactly it': {
    policy: { ...delayed, preferredBatchSizes: [2, 4] },
    rows: [1, 1, 1],
    expected: run(2),
  },
  'the largest preferred size that is reached wins': {
    policy: { ...delayed, preferredBatchSizes: [2, 4] },
    rows: [1, 1, 1, 1, 1],
    expected: run(4),
  },
  'below a preferred size it waits for it': {
    policy: { ...delayed, preferredBatchSizes: [4, 6] },
    rows: [1, 1],
    expected: wait(MS, 4),
  },
  'past one preferred size that was missed it waits for the next': {
    policy: { ...delayed, preferredBatchSizes: [2, 6] },
    rows: [1, 2],
    expected: wait(MS, 6),
  },
  'after the delay everything runs, preferred or not': {
    policy: { ...delayed, preferredBatchSizes: [2] },
    rows: [1, 1, 1],
    atNs: MS,
    expected: run(3),
  },
  'the largest preferred size jumped over: what was gathered before runs': {
    policy: { ...delayed, preferredBatchSizes: [4] },
    rows: [1, 2, 3],
    expected: run(2),
  },
  'one request larger than every preferred size runs': {
    policy: { ...delayed, preferredBatchSizes: [4] },
    rows: [6],
    expected: run(1),
  },
  'preferred sizes hold without a delay too': {
    policy: { maxBatchSize: 8, preferredBatchSizes: [4] },
    rows: [1, 1, 1, 1, 1],
    expected: run(4),
  },
  'without a delay, less than a preferred size runs': {
    policy: { maxBatchSize: 8, preferredBatchSizes: [4] },
    rows: [1, 1],
    expected: run(2),
  },
};

describe('the decision by knobs', () => {
  it.each(Object.entries(CASES))('%s', (_, { expected, ...given }) => {
    const { rows, cameNs = [], view = {}, atNs = 0 } = given;
    const candidates = rows.map((n, i) => ({ rows: n, enqueuedNs: cameNs[i] ?? 0, deadlineNs: NO_DEADLINE, worth: 1 }));
    const whole = {
      freeSlots: 1,
      waiting: rows.length,
      candidates,
      saturated: false,
      draining: false,
      plan: undefined,
    };
    expect(decideByKnobs({ policy: policy(given.policy), ...whole, ...view }, atNs)).toMatchObject(expected);
  });
});
