import { describe, expect, it } from 'vitest';
import { observation } from '../../../test/support/observations.js';
import { SampleRatioGuard } from '../index.js';
import { randomStream } from '../power/random-stream.js';

/** Requests of 20 a stretch that come to the candidate with this chance, until there is a verdict. */
function watch(chance: number, share: number, seed: number, stretches = 1500): SampleRatioGuard {
  const [guard, uniform] = [new SampleRatioGuard(), randomStream(seed)];
  for (let i = 0; i < stretches && guard.broken === undefined; i++) {
    let candidate = 0;
    for (let j = 0; j < 20; j++) if (uniform() < chance) candidate++;
    guard.observe(observation({ share, candidate: { requests: candidate }, baseline: { requests: 20 - candidate } }));
  }
  return guard;
}

describe('the check of the split', () => {
  it('finds that the candidate loses a tenth of its requests', () => {
    const guard = watch(0.45, 0.5, 1);
    expect(guard.verdict).toBe('fail');
    expect(guard.broken).toMatch(/came to the candidate \(4\d.*%\), 50 % were meant to: that is not chance/);
  });

  it('finds that the candidate has requests twice', () => {
    expect(watch(0.1, 0.05, 2).verdict).toBe('fail');
  });

  it('passes what is as it should be, and goes on watching', () => {
    const guard = watch(0.05, 0.05, 3);
    expect(guard.verdict).toBe('pass');
    for (let i = 0; i < 100; i++)
      guard.observe(observation({ share: 0.05, baseline: { requests: 90 }, candidate: { requests: 10 } }));
    expect(guard.broken).toContain('that is not chance');
  });

  it('asks nothing where only one arm is meant to have requests', () => {
    const guard = new SampleRatioGuard();
    guard.observe(observation({ share: 1, candidate: { requests: 1e6 } }));
    guard.observe(observation({ share: 0, baseline: { requests: 1e6 } }));
    expect(guard.evidence()).toMatchObject({ verdict: 'inconclusive', logHarm: 0, explanation: 'no requests yet' });
  });
});
