import { describe, expect, it } from 'vitest';
import { decideEjection, EJECTION_MOVES, type EjectionFacts, type EjectionSettings, StateMachine } from './index.js';

const SETTINGS: EjectionSettings = {
  consecutiveFailures: 3,
  errorPercent: 50,
  window: 10,
  seconds: 30,
  maxSeconds: 100,
};
const FACTS: EjectionFacts = { state: 'admitted', times: 0, untilNs: 0, failuresInRow: 0, outcomes: 0, failures: 0 };
const S = 1e9;
const decided = (facts: Partial<EjectionFacts>, outcome: 'answered' | 'failed' = 'failed', nowNs = 1000 * S) =>
  decideEjection(SETTINGS, { ...FACTS, ...facts }, outcome, nowNs);

describe('ejection', () => {
  it('allows the moves of its table and no other', () => {
    const states = ['admitted', 'ejected', 'probing'] as const;
    const allowed = states.flatMap((from) =>
      states.filter((to) => new StateMachine(EJECTION_MOVES, from).allows(to)).map((to) => `${from} ${to}`),
    );
    expect(allowed).toEqual(['admitted ejected', 'ejected probing', 'probing admitted', 'probing ejected']);
  });

  it('takes out what fails too often in a row, or among the last', () => {
    expect(decided({ failuresInRow: 2, outcomes: 2, failures: 2 })).toBeUndefined();
    expect(decided({ failuresInRow: 3 })).toMatchObject({ to: 'ejected', times: 1, untilNs: 1030 * S });
    expect(decided({ outcomes: 9, failures: 9 })).toBeUndefined();
    expect(decided({ outcomes: 10, failures: 4 })).toBeUndefined();
    expect(decided({ outcomes: 10, failures: 5 })).toMatchObject({ to: 'ejected', why: /5 of the last 10/ });
    const never = { ...SETTINGS, consecutiveFailures: 0, errorPercent: 0 };
    expect(
      decideEjection(never, { ...FACTS, failuresInRow: 99, outcomes: 10, failures: 10 }, 'failed', 0),
    ).toBeUndefined();
  });

  it('lasts longer each time in a row, up to its most, and anew after a good while', () => {
    const times = [1, 2, 3].map((n) => decided({ state: 'probing', times: n }));
    expect(times).toMatchObject([{ untilNs: 1060 * S }, { untilNs: 1100 * S }, { untilNs: 1100 * S }]);
    expect(decided({ failuresInRow: 3, times: 2, untilNs: 950 * S })).toMatchObject({ times: 3 });
    expect(decided({ failuresInRow: 3, times: 2, untilNs: 850 * S })).toMatchObject({ times: 1 });
  });

  it('ends with an answer to a probe, and with nothing else', () => {
    expect(decided({ state: 'probing', times: 1 }, 'answered')).toMatchObject({ to: 'admitted' });
    expect(decided({ state: 'ejected' }, 'answered')).toBeUndefined();
    expect(decided({ state: 'ejected' }, 'failed')).toBeUndefined();
  });
});
