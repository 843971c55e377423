import { describe, expect, it } from 'vitest';
import type { EnsembleGraph } from './ensemble-graph.js';
import { STEP_MOVES, type StepState, StepStates } from './step-states.js';

/** One step that takes the one input. */
const GRAPH: EnsembleGraph = {
  steps: [
    { index: 0, model: 'a', version: undefined, takes: [{ name: 'x', tensor: 0 }], gives: [{ name: 'y', tensor: 1 }] },
  ],
  tensors: [
    { name: 'in', from: -1, takers: [0] },
    { name: 'out', from: 0, takers: [] },
  ],
  inputs: [0],
  outputs: [1],
};

const STATES = Object.keys(STEP_MOVES) as StepState[];
const MOVES: Record<Exclude<StepState, 'waiting'>, (states: StepStates) => void> = {
  sent: (states) => states.sent(0),
  done: (states) => states.done(0),
  failed: (states) => states.failed(0),
  dropped: (states) => states.drop(),
};
const WAY: Record<StepState, Exclude<StepState, 'waiting'>[]> = {
  waiting: [],
  sent: ['sent'],
  done: ['sent', 'done'],
  failed: ['sent', 'failed'],
  dropped: ['dropped'],
};

function at(state: StepState): StepStates {
  const states = new StepStates(GRAPH);
  for (const move of WAY[state]) MOVES[move](states);
  expect(states.state(0)).toBe(state);
  return states;
}

describe('the states of a step', () => {
  it.each(STATES.flatMap((from) => (['sent', 'done', 'failed'] as const).map((to) => [from, to] as const)))(
    'from %s to %s: as the table says',
    (from, to) => {
      const states = at(from);
      const allowed = (STEP_MOVES[from] as readonly StepState[]).includes(to);
      if (!allowed) expect(() => MOVES[to](states)).toThrow(`no move of step 0 from ${from} to ${to}`);
      else {
        MOVES[to](states);
        expect(states.state(0)).toBe(to);
      }
    },
  );

  it.each(STATES)('%s: dropping takes what is open, and tells what was sent', (from) => {
    const states = at(from);
    expect(states.drop()).toEqual(from === 'sent' ? [0] : []);
    expect(states.state(0)).toBe(from === 'waiting' || from === 'sent' ? 'dropped' : from);
  });
});
