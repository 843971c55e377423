import { describe, expect, it } from 'vitest';
import { DEFAULT_CRITICALITY, linearCurve } from '../../core/index.js';
import type { Backlog } from './admission-forecast.js';
import { nextIsFull, OfferedLoad } from './overload.js';

const MS = 1e6;
/** Of an SLO of 15 ms two instances can spend 10 on an execution: 10 rows in 9.5 ms, 2.1 rows a ms. */
const CURVE = linearCurve(4.5, 0.5);
const SLO_NS = 15 * MS;
const PER_MS = (2 * 10) / 9.5;

function offer(load: OfferedLoad, perMs: number, ms: number, criticality = DEFAULT_CRITICALITY, from = 0): void {
  for (let i = 1; i <= perMs * ms; i++) load.arrived(1, criticality, CURVE, SLO_NS, 2, 10, (from + i / perMs) * MS);
}

/** Requests a nanosecond that come of late, where they come on. */
const ON = 1;

describe('the load that is offered', () => {
  it.each([
    [1.2, false],
    [1.3, true],
  ])('at %f times what can be answered is too much: %s', (share, tooMuch) => {
    const load = new OfferedLoad();
    offer(load, share * PER_MS, 1000);
    load.lost(1000 * MS);
    expect(load.tooMuch(DEFAULT_CRITICALITY, ON)).toBe(tooMuch);
  });

  it('is known within a third of the time that says a rate, at five times what can be answered', () => {
    const load = new OfferedLoad();
    // 100 rows take the two instances 47 ms.
    offer(load, 5 * PER_MS, 16);
    load.lost(16 * MS);
    expect(load.tooMuch(DEFAULT_CRITICALITY, ON)).toBe(true);
  });

  it('is not too much where it does not come on, where nobody was lost, and after a silence', () => {
    const load = new OfferedLoad();
    offer(load, 10 * PER_MS, 50);
    expect(load.tooMuch(DEFAULT_CRITICALITY, ON)).toBe(false);
    load.lost(50 * MS);
    expect(load.tooMuch(DEFAULT_CRITICALITY, (1.2 * PER_MS) / MS)).toBe(false);
    expect(load.tooMuch(DEFAULT_CRITICALITY, (1.3 * PER_MS) / MS)).toBe(true);
    offer(load, 10 * PER_MS, 60, DEFAULT_CRITICALITY, 50);
    expect(load.tooMuch(DEFAULT_CRITICALITY, ON)).toBe(false);
    load.lost(110 * MS);
    offer(load, 1, 1, DEFAULT_CRITICALITY, 300);
    load.lost(301 * MS);
    expect(load.tooMuch(DEFAULT_CRITICALITY, ON)).toBe(false);
  });

  it('counts for each level what matters at least as much', () => {
    const load = new OfferedLoad();
    for (let i = 1; i <= 2000; i++) load.arrived(1, i % 4 === 0 ? 1 : 4, CURVE, SLO_NS, 2, 10, (i / (4 * PER_MS)) * MS);
    load.lost((2000 / (4 * PER_MS)) * MS);
    expect([0, 1, 2, 4].map((level) => load.tooMuch(level, ON))).toEqual([false, false, false, true]);
  });

  it('goes by the rows and by what runs take', () => {
    const load = new OfferedLoad();
    for (let i = 1; i <= 500; i++) load.arrived(2, 2, linearCurve(9, 1), 2 * SLO_NS, 2, 10, (i / (0.4 * PER_MS)) * MS);
    load.lost((500 / (0.4 * PER_MS)) * MS);
    expect(load.tooMuch(2, ON)).toBe(true);
  });
});

describe('the next execution', () => {
  /** An instance is free in 1 ms; until 11 ms, when the first is due, it takes 11 rows. */
  const line: Backlog = {
    curve: CURVE,
    mostRows: 32,
    margin: 0,
    tightestNs: 11 * MS,
    instances: 2,
    freeSlots: 0,
    busyUntilNs: [1 * MS, 6 * MS],
  };

  it('takes as many as answer the first in time, and tells when it starts where it is full', () => {
    expect(nextIsFull(line, 10, 1, 15 * MS, 0)).toBeUndefined();
    expect(nextIsFull(line, 11, 1, 15 * MS, 0)).toBe(1 * MS);
    expect(nextIsFull(line, 9, 3, 15 * MS, 0)).toBe(1 * MS);
  });

  it('starts now where an instance is free', () => {
    expect(nextIsFull({ ...line, freeSlots: 1, busyUntilNs: [6 * MS] }, 13, 1, 15 * MS, 0)).toBe(0);
    expect(nextIsFull({ ...line, freeSlots: 1, busyUntilNs: [6 * MS] }, 12, 1, 15 * MS, 0)).toBeUndefined();
  });

  it('is not full for whom nobody is before', () => {
    expect(nextIsFull(line, 0, 64, 15 * MS, 0)).toBeUndefined();
  });
});
