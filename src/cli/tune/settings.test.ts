import { describe, expect, it } from 'vitest';
import { settingsToTry } from './settings.js';

const OPEN = { instances: undefined, threads: undefined, threaded: true, onGpu: false };
const pairs = (choices: Parameters<typeof settingsToTry>[0]) =>
  settingsToTry(choices).map(({ instances, threads }) => `${instances}x${threads ?? '-'}`);

describe('the settings to try', () => {
  it.each([
    [1, ['1x1']],
    [2, ['1x1', '1x2', '2x1']],
    [6, ['1x1', '1x6', '2x3', '4x1', '6x1']],
    [16, ['1x1', '1x16', '2x8', '4x4', '8x2', '16x1']],
  ])('on %i cores are one core, and ways to use them all', (cores, expected) => {
    expect(pairs({ ...OPEN, cores })).toEqual(expected);
  });

  it('are what was asked for, the other number by the cores', () => {
    expect(pairs({ ...OPEN, cores: 8, instances: [1, 3] })).toEqual(['1x8', '3x2']);
    expect(pairs({ ...OPEN, cores: 8, threads: [2, 16] })).toEqual(['4x2', '1x16']);
    expect(pairs({ ...OPEN, cores: 2, instances: [1, 4], threads: [1, 2] })).toEqual(['1x1', '1x2', '4x1', '4x2']);
  });

  it('leave threads alone on a GPU, and where the backend has no such setting', () => {
    expect(pairs({ ...OPEN, cores: 16, onGpu: true })).toEqual(['1x-', '2x-', '4x-']);
    expect(pairs({ ...OPEN, cores: 4, threaded: false })).toEqual(['1x-', '4x-']);
    expect(pairs({ ...OPEN, cores: 1, threaded: false })).toEqual(['1x-']);
  });
});
