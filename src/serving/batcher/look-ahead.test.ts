import { describe, expect, it } from 'vitest';
import { linearCurve } from '../../core/index.js';
import { headsToDrop, prefixInTime } from './look-ahead.js';
import type { Candidate, Plan } from './scheduling-view.js';

const MS = 1e6;
const SLO_MS = 8.6;
const KEEPS_UP = 7;

interface Case {
  /** How long each has waited, the oldest first. */
  readonly agesMs: readonly number[];
  /** When the other instances come free. */
  readonly freeInMs: readonly number[];
  readonly worth?: (at: number) => number;
  readonly rowsPerMs?: number;
}

/** How many heads are given up at 0, one of four instances being free. */
function givenUp({ agesMs, freeInMs, worth = () => 1, rowsPerMs = 4.7 }: Case): number {
  const line = agesMs.map((ageMs, at): Candidate => {
    return { rows: 1, enqueuedNs: -ageMs * MS, deadlineNs: (SLO_MS - ageMs) * MS, worth: worth(at) };
  });
  const head = line[0] as Candidate;
  const plan: Plan = {
    curve: linearCurve(4, 0.3),
    mostRows: 64,
    rows: line.length,
    othersWait: false,
    mixedLevels: false,
    mixedTenants: false,
    head,
    tightestNs: head.deadlineNs,
    instances: 4,
    busyUntilNs: freeInMs.map((ms) => ms * MS),
    rowsPerNs: rowsPerMs / MS,
    lastStartNs: 0,
    line: () => line,
    byDeadline: () => line,
  };
  return headsToDrop(plan, line, prefixInTime(plan, line, 0, 64, 0), KEEPS_UP, 1, 0);
}

/** As if they had come evenly: the oldest waits for so long, the youngest came now. */
const evenly = (count: number, oldestMs: number) =>
  Array.from({ length: count }, (_, i) => (oldestMs * (count - 1 - i)) / (count - 1));

describe('looking ahead before heads are given up', () => {
  it('gives none up where two instances come free soon', () => {
    expect(givenUp({ agesMs: evenly(13, 2.2), freeInMs: [0.6, 1.4, 3] })).toBe(0);
  });

  it('gives some up where what would be left behind waits long', () => {
    expect(givenUp({ agesMs: evenly(13, 2.2), freeInMs: [2.4, 4.2, 5.8] })).toBeGreaterThan(0);
  });

  it('gives more up where the start after the next is late too', () => {
    const agesMs = evenly(14, 2.4);
    const soon = givenUp({ agesMs, freeInMs: [1.7, 2.3, 3] });
    expect(givenUp({ agesMs, freeInMs: [1.7, 4.6, 5.8] })).toBeGreaterThan(soon);
  });

  it('gives nobody up for those that matter less, however many', () => {
    const worth = (at: number) => (at < 4 ? 4096 : 1);
    expect(givenUp({ agesMs: evenly(40, 2.4), freeInMs: [4, 5, 6], worth })).toBe(0);
  });

  it('counts on nobody where no rate is known', () => {
    expect(givenUp({ agesMs: evenly(9, 2), freeInMs: [1, 2, 3], rowsPerMs: 0 })).toBe(0);
  });
});
