import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WindowSums } from './window-sums.js';

const WINDOW_MS = 60_000;
const STEP_MS = 1000;

const notes = fc.array(
  fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), good: fc.nat(100), bad: fc.nat(100) }),
  { minLength: 1, maxLength: 100 },
);

describe('the sums of a window', () => {
  it('are those of what came within it, and of at most a step before, whenever that came', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), notes, (startMs, all) => {
        const window = new WindowSums(WINDOW_MS);
        window.note(startMs, { good: 0, events: 0 });
        let nowMs = startMs;
        let [good, events] = [0, 0];
        const came: { atMs: number; good: number; events: number }[] = [];
        for (const note of all) {
          nowMs += note.afterMs;
          good += note.good;
          events += note.good + note.bad;
          came.push({ atMs: nowMs, good: note.good, events: note.good + note.bad });
          window.note(nowMs, { good, events });
          const sum = (fromMs: number) =>
            came.filter(({ atMs }) => atMs > fromMs).reduce((all, one) => all + one.events, 0);
          const { events: told, good: toldGood } = window.sums;
          expect(told).toBeGreaterThanOrEqual(sum(nowMs - WINDOW_MS));
          expect(told).toBeLessThanOrEqual(sum(nowMs - WINDOW_MS - 2 * STEP_MS));
          expect(toldGood).toBeLessThanOrEqual(told);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are of all there was while less time than the window has passed', () => {
    const window = new WindowSums(WINDOW_MS);
    expect(window.sums).toEqual({ good: 0, events: 0 });
    window.note(5000, { good: 10, events: 12 });
    expect(window.sums).toEqual({ good: 0, events: 0 });
    window.note(50_000, { good: 15, events: 20 });
    expect(window.sums).toEqual({ good: 5, events: 8 });
    window.note(1e12, { good: 15, events: 20 });
    expect(window.sums).toEqual({ good: 0, events: 0 });
  });
});
