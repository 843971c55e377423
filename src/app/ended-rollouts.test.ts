import { expect, it } from 'vitest';
import type { RolloutState } from '../core/index.js';
import type { RolloutNotice } from '../delivery/index.js';
import { EndedRollouts } from './ended-rollouts.js';

it('counts ends by model from the first move on, and passes every notice on', () => {
  const told: unknown[] = [];
  const ended = new EndedRollouts({ names: ['ops'], tell: (...notice) => told.push(notice) });
  const move = (model: string, to: RolloutState) => ended.tell({ model, to } as RolloutNotice, ['ops']);
  const of = (model: string) => ended.figures().filter((row) => row.model === model);
  expect(ended.figures()).toEqual([]);
  expect(ended.names).toEqual(['ops']);
  move('a', 'progressing');
  expect(of('a')).toEqual([
    { model: 'a', state: 'promoted', count: 0 },
    { model: 'a', state: 'rolled-back', count: 0 },
  ]);
  for (const to of ['rolling-back', 'rolled-back', 'stable', 'rolled-back'] as const) move('a', to);
  move('b', 'promoted');
  expect(of('a').map(({ count }) => count)).toEqual([0, 2]);
  expect(of('b').map(({ count }) => count)).toEqual([1, 0]);
  expect(told).toHaveLength(6);
  expect(told[0]).toEqual([{ model: 'a', to: 'progressing' }, ['ops']]);
});
