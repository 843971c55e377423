import { describe, expect, it } from 'vitest';
import { cliRun as cli } from '../../../test/support/cli-run.js';

const FEW = '--runs 40 --max-requests 6000';

describe('penstock rollout power', () => {
  it('says how many requests a bad version takes to be stopped, and a good one to pass', async () => {
    const { code, out } = await cli(`rollout power --baseline 0.5% --candidate 5% ${FEW} --json`);
    expect(code).toBe(0);
    const { observe, candidate, alike } = JSON.parse(out);
    expect(observe).toBe('request');
    expect(candidate).toMatchObject({ runs: 40, failed: 40, passed: 0 });
    expect(candidate.requestsToFail.median).toBeLessThan(300);
    expect(alike.failed).toBeLessThan(4);
    expect(alike.passed).toBeGreaterThan(20);
  });

  it('prints a table of both, and takes rates as numbers or percentages', async () => {
    const asNumbers = await cli(`rollout power --baseline 0.01 --candidate 0.2 --share 0.5 ${FEW}`);
    expect(asNumbers.out).toMatch(/1 % -> 20 % +100 % +\d+ \/ \d+ +0 % +- +0 %\n1 % -> 1 % /);
    expect((await cli(`rollout power --baseline 1% --candidate 20% --share 50% ${FEW}`)).out).toBe(asNumbers.out);
  });

  it('counts batches where their requests share their fate', async () => {
    const { out } = await cli(`rollout power --baseline 1% --candidate 17% --rows-per-batch 8 ${FEW} --json`);
    expect(JSON.parse(out)).toMatchObject({ observe: 'batch', candidate: { passed: 0 } });
  });

  it.each([
    ['--baseline 1 --candidate 2', 'expected a rate from 0 to 1'],
    ['--baseline 1% --candidate x', 'expected a rate from 0 to 1'],
    ['--baseline 1% --candidate 2% --share 0', 'expected a number between 0 and 1'],
    ['--baseline 1% --candidate 2% --alpha 100%', 'expected a number between 0 and 1'],
    ['--baseline 1% --candidate 2% --max-ratio 1', 'expected a number above 1'],
    ['--baseline 1% --candidate 2% --runs 9999999', 'choose fewer runs or requests'],
    ['--baseline 1%', '--candidate'],
  ])('refuses %s', async (flags, message) => {
    const { code, out, err } = await cli(`rollout power ${flags}`);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});
