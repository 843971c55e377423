import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cliRun as cli } from '../../../test/support/cli-run.js';

const folder = mkdtempSync(join(tmpdir(), 'penstock-judge-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function metrics(...list: object[]): string {
  return file('metrics.json', JSON.stringify({ metrics: list }));
}

const LOW = [1, 2, 3, 4, 5, 6, 7, 8];
const HIGH = LOW.map((value) => value + 20);

describe('penstock rollout judge', () => {
  it("gives Kayenta's published example: p 0.0285714, shift 22.5, interval 6 to 39", async () => {
    const [control, experiment] = [file('control.txt', '1\n2\n3\n4\n'), file('experiment.txt', '10, 20, 30, 40')];
    const { code, out } = await cli(`rollout judge ${control} ${experiment} --json`);
    expect(code).toBe(1);
    const [{ shift, classification }] = JSON.parse(out).metrics;
    expect(classification).toBe('high');
    expect(shift.pValue).toBeCloseTo(2 / 70, 12);
    expect(shift.estimate).toBeCloseTo(22.5, 12);
    expect(shift.interval.lower).toBeCloseTo(6, 12);
    expect(shift.interval.upper).toBeCloseTo(39, 12);
  });

  it('prints a table, what it comes to, and what it is good for', async () => {
    const { code, out } = await cli(`rollout judge ${metrics({ name: 'p99', control: LOW, experiment: LOW })}`);
    expect(code).toBe(0);
    expect(out).toMatch(/^metric +says[\s\S]*p99 +pass +8 +8 +1 +- +- +-\n\nscore 100: pass\n\nGood for one look/);
  });

  it.each([
    ['either', HIGH, 'high'],
    ['increase', HIGH, 'high'],
    ['decrease', HIGH, 'pass'],
    ['either', LOW.map((value) => value - 20), 'low'],
    ['increase', LOW.map((value) => value - 20), 'pass'],
    ['either', [null, 'NaN', null], 'nodata'],
    ['either', [...LOW, null, 1e9], 'pass'],
  ])('direction %s, %j: %s', async (direction, experiment, says) => {
    const { out } = await cli(`rollout judge ${metrics({ name: 'x', control: LOW, experiment, direction })} --json`);
    expect(JSON.parse(out).metrics[0].classification).toBe(says);
  });

  it('weighs groups, and a critical metric that does not pass makes it 0', async () => {
    const list = (critical: boolean) => [
      { name: 'a', control: LOW, experiment: LOW, group: 'latency' },
      { name: 'b', control: LOW, experiment: HIGH, group: 'latency', critical },
      { name: 'c', control: LOW, experiment: LOW, group: 'errors' },
    ];
    const of = (critical: boolean) =>
      file('weights.json', JSON.stringify({ metrics: list(critical), groupWeights: { latency: 40 } }));
    const { code, out } = await cli(`rollout judge ${of(false)} --json`);
    expect({ code, ...JSON.parse(out) }).toMatchObject({ code: 1, score: 80, classification: 'marginal' });
    expect(JSON.parse((await cli(`rollout judge ${of(true)} --json`)).out)).toMatchObject({
      score: 0,
      classification: 'fail',
    });
    expect((await cli(`rollout judge ${of(false)} --pass 80`)).code).toBe(0);
  });

  it('takes two constants as a shift, and one as none', async () => {
    const judged = async (control: number[], experiment: number[]) =>
      JSON.parse((await cli(`rollout judge ${metrics({ name: 'x', control, experiment })} --json`)).out).metrics[0];
    expect(await judged([3, 3, 3], [5, 5])).toMatchObject({ classification: 'high', shift: { estimate: 2 } });
    expect(await judged([3, 3, 3], [3, 3])).toMatchObject({ classification: 'pass' });
    expect((await judged([0, 0, 0], [0, 0, 1])).classification).toBe('pass');
  });

  it.each([
    ['{', 'not JSON'],
    ['[]', 'an object was expected'],
    ['{"metrics":[]}', 'a list of at least one'],
    ['{"metrics":[{"name":"x","control":[1],"experiment":["y"]}]}', 'value 1 is no number: "y"'],
    ['{"metrics":[{"name":"x","control":1,"experiment":[1]}]}', 'a list of numbers was expected'],
    ['{"metrics":[{"name":"x","control":[1],"experiment":[1],"way":1}]}', "unknown key 'way'"],
    ['{"metrics":[{"name":"x","control":[1],"experiment":[1],"direction":"up"}]}', "'direction' must be one of"],
    [
      '{"metrics":[{"name":"x","control":[1],"experiment":[1]}],"groupWeights":{"a":60,"b":60}}',
      'add up to 120 percent',
    ],
  ])('refuses %s', async (content, message) => {
    const { code, out, err } = await cli(`rollout judge ${file('bad.json', content)}`);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it('refuses files that are not there, and impossible confidence', async () => {
    expect((await cli(`rollout judge ${join(folder, 'none.json')}`)).err).toContain('cannot be read (ENOENT)');
    expect((await cli(`rollout judge x --confidence 1`)).err).toContain('expected a number from 0.5 to 1');
  });
});
