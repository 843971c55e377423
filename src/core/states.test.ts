import { describe, expect, it } from 'vitest';
import {
  DEVICE_MOVES,
  LANE_MOVES,
  type MoveTable,
  PROCESS_MOVES,
  PROTOCOL_STATES,
  ROLLOUT_MOVES,
  SLO_MOVES,
  StateMachine,
  VERSION_MOVES,
} from './index.js';

const TABLES: readonly [string, MoveTable<string>, string, readonly string[]][] = [
  ['version', VERSION_MOVES, 'declared', []],
  ['lane', LANE_MOVES, 'starting', ['stopped']],
  ['process', PROCESS_MOVES, 'starting', ['stopped']],
  ['device', DEVICE_MOVES, 'serving', ['lost']],
  ['SLO', SLO_MOVES, 'ok', []],
  ['rollout', ROLLOUT_MOVES, 'stable', ['promoted', 'rolled-back']],
];

describe.each(TABLES)('%s states', (_, table, initial, ends) => {
  const states = Object.keys(table);

  it('move along every allowed pair, and refuse every other, leaving the state as it was', () => {
    for (const from of states) {
      for (const to of states) {
        const seen: string[] = [];
        const machine = new StateMachine(table, from, (a, b, why) => seen.push(`${a}>${b}:${why}`));
        if (table[from]?.includes(to)) {
          machine.move(to, 'test');
          expect([machine.state, seen]).toEqual([to, [`${from}>${to}:test`]]);
        } else {
          expect(() => machine.move(to, 'test')).toThrow(`no move from ${from} to ${to} (test)`);
          expect([machine.state, seen]).toEqual([from, []]);
        }
      }
    }
  });

  it('can all be reached, and can all be left but the last', () => {
    const reached = new Set([initial]);
    for (const state of reached) for (const next of table[state] ?? []) reached.add(next);
    expect([...reached].sort()).toEqual([...states].sort());
    expect(states.filter((state) => table[state]?.length === 0)).toEqual(ends);
  });
});

describe('protocol states', () => {
  it('call exactly one version state READY', () => {
    const ready = Object.entries(PROTOCOL_STATES).filter(([, shown]) => shown === 'READY');
    expect(ready.map(([state]) => state)).toEqual(['ready']);
  });
});
