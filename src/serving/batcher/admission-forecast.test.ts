import { describe, expect, it } from 'vitest';
import { linearCurve } from '../../core/index.js';
import { type Backlog, cannotMeet } from './admission-forecast.js';

const MS = 1e6;

/** One row takes 5 ms, ten take 9.5; one of two instances is free in 1 ms, the other in 6. */
const BACKLOG: Backlog = {
  curve: linearCurve(4.5, 0.5),
  mostRows: 10,
  margin: 0,
  tightestNs: 4 * MS,
  instances: 2,
  freeSlots: 0,
  busyUntilNs: [1 * MS, 6 * MS],
};

describe('the forecast of admission', () => {
  it('lets a newcomer in behind a head that can only be given up', () => {
    expect(cannotMeet(BACKLOG, 3, 1, 8.6 * MS, 0)).toBeUndefined();
  });

  it('holds that head against it once promises were broken', () => {
    expect(cannotMeet({ ...BACKLOG, margin: 0.1 }, 3, 1, 8.6 * MS, 0)).toBeGreaterThan(0);
  });

  it('refuses whom no instance could serve in time, and says when one could', () => {
    expect(cannotMeet(BACKLOG, 0, 1, 5.9 * MS, 0)).toBe(1 * MS);
    expect(cannotMeet(BACKLOG, 0, 1, 6 * MS, 0)).toBeUndefined();
  });

  it('refuses whom those before it leave no room', () => {
    expect(cannotMeet(BACKLOG, 5, 1, 8.6 * MS, 0)).toBeUndefined();
    expect(cannotMeet(BACKLOG, 6, 1, 8.6 * MS, 0)).toBeGreaterThan(0);
  });
});
