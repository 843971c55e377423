import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningGateway, repositoryOf } from '../../../test/support/running-gateway.js';
import type { BenchResult } from './bench-result.js';

const PROGRAM = fileURLToPath(new URL('../../../dist/cli/penstock.cjs', import.meta.url));

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await RunningGateway.start(repositoryOf({ add: 'add_two', words: 'identity_bytes' }));
});
afterAll(() => gateway.stop());

/** The compiled command, in the models' folder. */
function bench(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, 'bench', ...words], { cwd: gateway.models.path }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

const result = (name: string) => JSON.parse(readFileSync(join(gateway.models.path, name), 'utf8')) as BenchResult;
const short = ['--seconds', '0.1', '--rounds', '5'];

describe('penstock bench against a running gateway', () => {
  it.each([
    ['HTTP', () => ['--url', gateway.url]],
    ['HTTP with JSON', () => ['--url', gateway.url, '--format', 'json']],
    ['WebSocket', () => ['--ws', `127.0.0.1:${gateway.httpPort}`]],
    ['WebSocket with JSON', () => ['--ws', `127.0.0.1:${gateway.httpPort}`, '--format', 'json']],
    ['gRPC', () => ['--grpc', `127.0.0.1:${gateway.grpcPort}`]],
  ])('measures requests over %s that are all answered', async (_, target) => {
    const words = [...target(), '--model', 'add', '--concurrency', '1,3', ...short, '--json', 'out.json'];
    const { code, out, err } = await bench('run', ...words, '--pid', String(gateway.pid));
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/SCENARIO +REQUESTS\/S[\s\S]*CPU US\/REQUEST/);
    const { scenarios } = result('out.json');
    expect(scenarios.map(({ name }) => name.replace(/^.*-/, ''))).toEqual(['c1', 'c3']);
    for (const { rounds, latency } of scenarios) {
      expect(rounds).toHaveLength(5);
      for (const round of rounds) {
        expect(round).toMatchObject({ errors: 0 });
        expect(round.answers).toBeGreaterThan(0);
      }
      const answers = rounds.reduce((sum, round) => sum + round.answers, 0);
      expect(latency.counts.reduce((sum, count) => sum + count, 0)).toBe(answers);
    }
    const [counted] = (await gateway.call('/v2/models/add/stats')).json().model_stats;
    expect(counted.inference_stats.fail.count).toBe(0);
  });

  it('sends the requests of an open loop at their rate, and says how late it was itself', async () => {
    writeFileSync(join(gateway.models.path, 'times.txt'), Array.from({ length: 41 }, (_, i) => i / 100).join('\n'));
    for (const arrivals of [
      ['--rate', '100'],
      ['--rate', '100', '--arrivals', 'burst'],
      ['--arrivals', 'times.txt'],
    ]) {
      const words = ['--url', gateway.url, '--model', 'words', ...arrivals, '--seconds', '0.4', '--rounds', '1'];
      const { code, out } = await bench('run', ...words, '--json', 'open.json');
      expect(code).toBe(0);
      expect(out).toContain('GENERATOR LATE P99 US');
      for (const round of result('open.json').scenarios[0]!.rounds) expect(round.answers).toBeGreaterThan(5);
    }
    expect(result('open.json').scenarios[0]!.rounds.map(({ answers }) => answers)).toEqual([41]);
  });

  it('fails where requests are refused, and says why', async () => {
    const words = ['--url', gateway.url, '--model', 'add', '--shape', 'nope=1,1', ...short];
    expect(await bench('run', ...words)).toMatchObject({ code: 2, err: expect.stringContaining("no input 'nope'") });
    const unknown = await bench('run', '--url', gateway.url, '--model', 'ad', ...short);
    expect(unknown).toMatchObject({ code: 1, err: expect.stringMatching(/unknown model: 'ad'/) });
  });

  it.each([
    [[], /one of --url/],
    [['--url', 'https://x:1'], /unencrypted/],
    [['--url', 'http://x:1', '--concurrency', '1', '--rate', '5'], /give one/],
    [['--url', 'http://x:1', '--concurrency', '0'], /whole number/],
  ])('refuses %j', async (words, message) => {
    const { code, err } = await bench('run', '--model', 'add', ...words);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('compares what it wrote', async () => {
    await bench('run', '--url', gateway.url, '--model', 'add', '--concurrency', '2', ...short, '--json', 'a.json');
    const { code, out } = await bench('compare', 'a.json', 'a.json', '--html', 'page.html', '--paired');
    expect(code).toBe(0);
    expect(out).toMatch(/\| add-http-c2 \| requests\/s \| .* \| 1\.000 \| 1\.000 \.\. 1\.000 \|/);
    expect(readFileSync(join(gateway.models.path, 'page.html'), 'utf8')).toContain('<svg');
  });
});
