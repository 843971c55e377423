import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TurnBudget } from './turn-budget.js';

describe('the budget of a turn', () => {
  it('never lets a turn be held for more than the budget and what runs took beyond expectation', () => {
    const run = fc.record({ expected: fc.integer({ min: 0, max: 200 }), excess: fc.integer({ min: 0, max: 50 }) });
    fc.assert(
      fc.property(fc.array(fc.array(run), { maxLength: 50 }), (turns) => {
        let endTurn = () => {};
        const budget = new TurnBudget(250, (reset) => {
          endTurn = reset;
        });
        for (const runs of turns) {
          let held = 0;
          let excess = 0;
          for (const { expected, excess: more } of runs) {
            if (!budget.allows(expected)) continue;
            budget.spend(expected + more);
            held += expected + more;
            excess += more;
          }
          expect(held).toBeLessThanOrEqual(250 + excess);
          endTurn();
          expect(budget.untouched).toBe(true);
        }
      }),
    );
  });

  it('begins anew with each turn of the event loop', async () => {
    const budget = new TurnBudget(100);
    budget.spend(90);
    expect([budget.allows(20), budget.allows(10), budget.untouched]).toEqual([false, true, false]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([budget.allows(100), budget.untouched]).toEqual([true, true]);
  });
});
