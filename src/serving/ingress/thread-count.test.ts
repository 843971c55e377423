import { describe, expect, it } from 'vitest';
import { ingressThreads } from './thread-count.js';

describe('the number of ingress threads', () => {
  it.each([
    [1, 0],
    [2, 0],
    [4, 0],
    [5, 2],
    [8, 2],
    [16, 4],
    [64, 4],
  ])('is chosen by %i cores: %i', (cores, expected) => {
    expect(ingressThreads('auto', cores, 'linux')).toBe(expected);
  });

  it('is what was asked for', () => {
    expect(ingressThreads(0, 64, 'linux')).toBe(0);
    expect(ingressThreads(3, 1, 'linux')).toBe(3);
    expect(ingressThreads(1, 8, 'darwin')).toBe(1);
  });

  it('is at most one where the system does not share out the connections of a port', () => {
    expect(ingressThreads('auto', 64, 'darwin')).toBe(0);
    expect(() => ingressThreads(2, 8, 'darwin')).toThrow(/only Linux/);
  });
});
