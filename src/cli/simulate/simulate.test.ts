import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CliIo } from '../io.js';
import { runCli } from '../run-cli.js';

async function cli(line: string, cwd = '.'): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [[] as string[], [] as string[]];
  const nothing = () => {
    throw new Error('not asked for here');
  };
  const io: CliIo = {
    stdout: { write: (chunk) => void out.push(String(chunk)) },
    stderr: { write: (chunk) => void err.push(String(chunk)) },
    env: {},
    cwd,
    isTTY: false,
    version: '0',
    onSignal: () => () => {},
    serve: nothing,
    openModels: nothing,
    machine: { loadHttp: nothing, loadOnnxRuntime: nothing },
  };
  const code = await runCli(line.split(' '), io);
  return { code, out: out.join(''), err: err.join('') };
}

const FOUR = '--curve 4,0.3 --instances 4 --requests 6000';

describe('penstock simulate', () => {
  it('prints the goodput and its share of the fluid bound, the same for the same seed', async () => {
    const line = `simulate ${FOUR} --slo-ms 17.2 --seed 11 --json`;
    const first = await cli(line);
    const figures = JSON.parse(first.out);
    expect(Object.keys(figures)).toEqual(
      expect.arrayContaining(['goodputPerSecond', 'fluidBoundPerSecond', 'p50Ms', 'p99Ms', 'refused']),
    );
    expect(figures.fluidBoundPerSecond).toBeCloseTo(9411.8, 0);
    expect(figures.shareOfFluidBound).toBeGreaterThan(0.9);
    expect(figures.inTime).toBeGreaterThanOrEqual(0.99 * 6000);
    expect((await cli(line)).out).toBe(first.out);
    expect((await cli(line.replace('--seed 11', '--seed 12'))).out).not.toBe(first.out);
  });

  it('shows at a fixed rate that a free instance which takes what waits is far from it', async () => {
    const at = async (policy: string) =>
      JSON.parse((await cli(`simulate ${FOUR} --slo-ms 8.6 --rate 4000 --policy ${policy} --json`)).out);
    const [own, pull] = [await at('penstock'), await at('pull')];
    expect(own.inTime).toBeGreaterThan(0.99 * 6000);
    expect(pull.inTime).toBeLessThan(0.6 * 6000);
  });

  it.each(['window', 'pull', 'pull-drop', 'aimd', 'symphony', 'penstock'])('knows the policy %s', async (policy) => {
    const { code, out } = await cli(`simulate --curve 1:4,8:6,16:9 --slo-ms 20 --requests 500 --policy ${policy}`);
    expect(code).toBe(0);
    expect(out).toMatch(/requests\/s with 99 % of all requests within 20 ms, [\d.]+ % of the fluid bound/);
  });

  it('replays recorded arrivals, and says what is wrong with a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-simulate-'));
    try {
      writeFileSync(join(folder, 'times'), Array.from({ length: 400 }, (_, i) => `${i / 100}`).join('\n'));
      writeFileSync(join(folder, 'broken'), 'x\n');
      const good = await cli('simulate --curve 2,0.05 --slo-ms 10 --arrivals times --rate 100 --json', folder);
      expect(JSON.parse(good.out)).toMatchObject({ requests: 400, inTime: 400 });
      const bad = await cli('simulate --curve 2,0.05 --slo-ms 10 --arrivals broken', folder);
      expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('line 1: expected a time in seconds')]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(['4', '4,x', '0,0', '1:0', '-1,2'])('refuses the curve %s', async (curve) => {
    const { code, err } = await cli(`simulate --curve=${curve} --slo-ms 10`);
    expect([code, err]).toEqual([2, expect.stringContaining('expected a,c in ms')]);
  });
});

describe('penstock plan', () => {
  it('says how many instances a rate needs: one less misses it', async () => {
    const { out } = await cli('plan --rate 5000 --slo-ms 17.2 --curve 4,0.3 --requests 6000 --json');
    const { instances } = JSON.parse(out);
    const share = async (count: number) => {
      const line = `simulate --rate 5000 --slo-ms 17.2 --curve 4,0.3 --requests 6000 --instances ${count} --json`;
      return JSON.parse((await cli(line)).out).inTime / 6000;
    };
    expect(await share(instances)).toBeGreaterThanOrEqual(0.99);
    expect(await share(instances - 1)).toBeLessThan(0.99);
  });

  it('says why none is enough', async () => {
    const { code, err } = await cli('plan --rate 10 --slo-ms 3 --curve 4,0.3 --requests 100');
    expect([code, err]).toEqual([1, expect.stringContaining('one alone takes 4.3 ms')]);
  });
});
