import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newcomerFinishNs } from './newcomer-finish.js';

/** 2 ms an execution and 1 ms a row. */
const CURVE = { meanNs: (rows: number) => (2 + rows) * 1e6, upperNs: (rows: number) => (2 + rows) * 1e6 };
const line = (over: object = {}) => ({
  curve: CURVE,
  mostRows: 4,
  instances: 1,
  freeSlots: 1,
  busyUntilNs: [],
  ...over,
});
const inMs = (over: object, ahead: number) => newcomerFinishNs(line(over), ahead, 1, 50e6) / 1e6 - 50;

describe('when a newcomer would be answered', () => {
  it.each([
    ['alone: its own execution', {}, 0, 3],
    ['in the batch of those before it', {}, 2, 5],
    ['in the next one where that is full', {}, 4, 9],
    ['after the execution in flight', { freeSlots: 0, busyUntilNs: [53e6] }, 0, 6],
    ['now where that should have ended', { freeSlots: 0, busyUntilNs: [10e6] }, 0, 3],
    ['two instances take two batches at once', { instances: 2, freeSlots: 2 }, 7, 6],
    ['the one that comes free first takes it', { instances: 2, freeSlots: 0, busyUntilNs: [90e6, 51e6] }, 0, 4],
  ])('%s', (_, over, ahead, ms) => {
    expect(inMs(over, ahead)).toBeCloseTo(ms, 6);
  });

  it('is not sooner with more before it, but for a smaller batch of its own, and goes on at the full rate in a line of any length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 8 }),
        (ahead, more, n) => {
          const over = { instances: n, freeSlots: n };
          expect(inMs(over, ahead + more)).toBeGreaterThanOrEqual(inMs(over, ahead) - (n === 1 ? 0 : 3) - 1e-6);
        },
      ),
    );
    expect(inMs({}, 4000) / 4000).toBeCloseTo(6 / 4, 2);
  });
});
