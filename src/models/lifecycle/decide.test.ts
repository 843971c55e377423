import { describe, expect, it } from 'vitest';
import { PROTOCOL_STATES, StateMachine, VERSION_MOVES, type VersionState } from '../../core/index.js';
import { decideLoad, decideSwap, type OpenOutcome } from './decide.js';
import { LoadSlots, Turns } from './turns.js';

describe('what a load does', () => {
  it('opens every wanted version and leaves those not wanted', () => {
    expect(decideLoad([3, 1], [1, 2])).toEqual({ open: [1, 3], keep: [], leave: [2] });
    expect(decideLoad([], [2])).toEqual({ open: [], keep: [], leave: [2] });
  });

  it('keeps versions that are unchanged, where they serve', () => {
    expect(decideLoad([3, 1, 2], [1, 2], new Set([1, 3]))).toEqual({ open: [2, 3], keep: [1], leave: [] });
    expect(decideLoad([2], [1, 2], new Set([1, 2]))).toEqual({ open: [], keep: [2], leave: [1] });
    expect(decideSwap(new Map([[3, 'warmed']]), [1, 2], [1])).toEqual({
      kind: 'publish',
      publish: [1, 3],
      retire: [2],
    });
    expect(decideSwap(new Map(), [1, 2], [2])).toEqual({ kind: 'publish', publish: [2], retire: [1] });
    expect(decideSwap(new Map([[3, 'failed']]), [1], [1])).toEqual({ kind: 'keep', discard: [] });
  });

  const W = 'warmed';
  const F = 'failed';
  const cases: [string, [number, OpenOutcome][], number[], object][] = [
    [
      'first load',
      [
        [1, W],
        [2, W],
      ],
      [],
      { kind: 'publish', publish: [1, 2], retire: [] },
    ],
    [
      'first load, one failed',
      [
        [1, W],
        [2, F],
      ],
      [],
      { kind: 'publish', publish: [1], retire: [] },
    ],
    ['first load, all failed', [[1, F]], [], { kind: 'keep', discard: [] }],
    ['reload', [[1, W]], [1], { kind: 'publish', publish: [1], retire: [1] }],
    ['reload to another version', [[2, W]], [1], { kind: 'publish', publish: [2], retire: [1] }],
    ['reload that failed', [[2, F]], [1], { kind: 'keep', discard: [] }],
    [
      'reload of which a part failed',
      [
        [1, W],
        [2, F],
      ],
      [1],
      { kind: 'keep', discard: [1] },
    ],
  ];
  it.each(cases)('%s', (_case, outcomes, serving, swap) => {
    expect(decideSwap(new Map(outcomes), serving)).toEqual(swap);
  });
});

describe('states of a version', () => {
  const states = Object.keys(VERSION_MOVES) as VersionState[];
  const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));
  it.each(pairs)('%s to %s is as the table says', (from, to) => {
    const machine = new StateMachine<VersionState>(VERSION_MOVES, from);
    if ((VERSION_MOVES[from] as readonly VersionState[]).includes(to)) {
      machine.move(to);
      expect(machine.state).toBe(to);
    } else {
      expect(() => machine.move(to)).toThrow('no move');
      expect(machine.state).toBe(from);
    }
  });

  it('speaks of ready in one state only', () => {
    expect(states.filter((state) => PROTOCOL_STATES[state] === 'READY')).toEqual(['ready']);
  });
});

describe('turns and slots', () => {
  it('runs operations one after another, what they hold included, and goes on after a failure', async () => {
    const turns = new Turns(8);
    const seen: string[] = [];
    let release = () => {};
    const rest = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = turns.take('a', async (hold) => {
      hold(rest.then(() => void seen.push('rest')));
      seen.push('first');
    });
    const second = turns.take('b', async () => {
      seen.push('second');
      throw new Error('second');
    });
    const third = turns.take('c', async () => void seen.push('third'));
    await first;
    expect(seen).toEqual(['first']);
    release();
    await expect(second).rejects.toThrow('second');
    await third;
    await turns.idle();
    expect(seen).toEqual(['first', 'rest', 'second', 'third']);
  });

  it('refuses callers past its bound', async () => {
    const turns = new Turns(2);
    const taken = [1, 2, 3].map(() => turns.take('x', async () => 'done').catch((error) => error.reason));
    expect(await Promise.all(taken)).toEqual(['done', 'done', 'OVERLOADED']);
    expect(await turns.take('x', async () => 'again')).toBe('again');
  });

  it('gives a slot on after work that failed', async () => {
    const slots = new LoadSlots(1);
    const ends = await Promise.allSettled([slots.run(() => Promise.reject(new Error('x'))), slots.run(async () => 1)]);
    expect(ends.map((end) => end.status)).toEqual(['rejected', 'fulfilled']);
  });
});
