import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CliIo } from '../io.js';
import { benchCompare } from './bench-compare.js';
import { type BenchResult, type RoundFigures, readResult, resultHead } from './bench-result.js';
import { compareResults, verdictOf } from './comparison.js';
import { LatencyHistogram } from './latency-histogram.js';
import { DEFAULT_THRESHOLDS, readThresholds } from './thresholds.js';

const folder = mkdtempSync(join(tmpdir(), 'penstock-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

function result(subject: string, cpuUs: number, { rounds = 10, errors = 0, name = 'mlp-http-c8' } = {}): BenchResult {
  const latency = new LatencyHistogram();
  for (let us = 50; us < 500; us++) latency.record(us);
  const round = (i: number): RoundFigures => ({
    perSecond: 1e5 / cpuUs + i,
    ...{ p50Us: cpuUs * 3, p90Us: cpuUs * 4, p99Us: cpuUs * 9, p999Us: cpuUs * 20, maxUs: cpuUs * 30 },
    ...{ answers: 1000, errors, cpuUsPerRequest: cpuUs * (1 + (i % 3) / 100) },
  });
  const head = resultHead(subject, folder, { penstock: '1.0.0' });
  return {
    ...head,
    scenarios: [{ name, rounds: Array.from({ length: rounds }, (_, i) => round(i)), latency: latency.data() }],
  };
}

function written(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('comparing results', () => {
  const judged = (before: BenchResult, after: BenchResult) => compareResults(before, after, DEFAULT_THRESHOLDS, true);

  it('passes a result compared with itself', () => {
    const { passed, figures } = judged(result('a', 20), result('a', 20));
    expect(passed).toBe(true);
    expect(figures.map(({ verdict }) => verdict)).toEqual(['same', 'same', 'shown', 'shown', 'same']);
  });

  it('fails what is slower by more than it may be, and calls the reverse better', () => {
    const slower = judged(result('a', 20), result('b', 22));
    expect(slower.passed).toBe(false);
    expect(slower.figures.find(({ metric }) => metric === 'cpuUsPerRequest')?.verdict).toBe('worse');
    expect(slower.figures.find(({ metric }) => metric === 'perSecond')?.verdict).toBe('worse');
    const faster = judged(result('a', 22), result('b', 20));
    expect(faster.passed).toBe(true);
    expect(faster.figures.find(({ metric }) => metric === 'p50Us')?.verdict).toBe('better');
  });

  it('judges what is counted by three starts, and by nothing that was not measured', () => {
    const counted = (subject: string, instructions: readonly number[]) => ({
      ...result(subject, 20),
      scenarios: [
        {
          name: 'counted',
          rounds: instructions.map((instructionsPerRequest) => ({ answers: 1, errors: 0, instructionsPerRequest })),
        },
      ],
    });
    const judgedCounts = (candidate: readonly number[]) =>
      judged(
        counted('a', [94_000, 95_500, 96_800]) as unknown as BenchResult,
        counted('b', candidate) as unknown as BenchResult,
      );
    expect(judgedCounts([103_000, 105_000, 106_000])).toMatchObject({ passed: false, figures: [{ verdict: 'worse' }] });
    expect(judgedCounts([96_000, 94_500, 95_000])).toMatchObject({ passed: true, figures: [{ verdict: 'same' }] });
    expect(judgedCounts([103_000, 105_000]).problems).toEqual([
      expect.stringMatching(/2 rounds cannot be judged, 3 can/),
    ]);
  });

  it.each([
    ['a scenario that the candidate lacks', result('b', 20, { name: 'other' }), /no such scenario/],
    ['requests that failed', result('b', 20, { errors: 1 }), /10 requests failed/],
    ['too few rounds', result('b', 20, { rounds: 3 }), /3 rounds cannot be judged/],
  ])('fails on %s', (_, candidate, problem) => {
    const { passed, problems } = judged(result('a', 20), candidate);
    expect(passed).toBe(false);
    expect(problems[0]).toMatch(problem);
  });

  it.each([
    ['perSecond', { ratio: 0.9, low: 0.85, high: 0.95 }, 'worse'],
    ['perSecond', { ratio: 0.9, low: 0.8, high: 1.02 }, 'unclear'],
    ['perSecond', { ratio: 1.2, low: 1.1, high: 1.3 }, 'better'],
    ['p50Us', { ratio: 1.02, low: 1.01, high: 1.04 }, 'same'],
    ['p50Us', { ratio: 1.02, low: 0.97, high: 1.09 }, 'unclear'],
    ['p50Us', { ratio: 1.2, low: 1.1, high: 1.3 }, 'worse'],
  ] as const)('judges %s %j as %s at a tolerance of 5 %%', (metric, estimate, verdict) => {
    expect(verdictOf(metric, estimate, 0.05)).toBe(verdict);
  });

  it('reports in text, Markdown and HTML, which quotes what results say, and by the exit code', () => {
    const printed: string[] = [];
    const io = { cwd: folder, stdout: { write: (chunk: string) => printed.push(chunk) } } as unknown as CliIo;
    const before = written('before.json', result('<b>a</b>', 20));
    const after = written('after.json', result('b', 30));
    const files = { markdown: 'report.md', html: 'report.html' };
    expect(benchCompare(before, after, { thresholds: undefined, paired: true, ...files }, io)).toBe(1);
    expect(benchCompare(before, before, { thresholds: undefined, paired: true, ...files }, io)).toBe(0);
    expect(printed[0]).toMatch(/FAILED[\s\S]*\| mlp-http-c8 \| CPU us\/request \| .* \| WORSE \|/);
    expect(readFileSync(join(folder, 'report.md'), 'utf8')).toContain('passed');
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    expect(html).toMatch(/<svg[\s\S]*<polyline/);
    expect(html).not.toContain('<b>a</b>');
    expect(html).not.toMatch(/(src|href)=/);
  });

  it('takes tolerances from a file, by scenario', () => {
    const path = written('lenient.json', {
      default: { cpuUsPerRequest: 0.02 },
      scenarios: { 'mlp-http-c8': { cpuUsPerRequest: 0.5 } },
    });
    expect(compareResults(result('a', 20), result('b', 22), readThresholds(path), true).passed).toBe(true);
    const strict = written('strict.json', {
      default: { cpuUsPerRequest: 0.02 },
      scenarios: { other: { cpuUsPerRequest: null } },
    });
    expect(compareResults(result('a', 20), result('b', 22), readThresholds(strict), true).passed).toBe(false);
  });

  it.each([
    ['{', /JSON/],
    ['{"defaults": {}}', /unknown key defaults/],
    ['{"default": {"perSecnd": 0.1}}', /unknown metric perSecnd.*perSecond/],
    ['{"default": {"p50Us": "5 %"}}', /expected a share/],
    ['{"confidence": 2}', /not between/],
  ])('refuses the thresholds %j', (text, message) => {
    expect(() => readThresholds(written('bad.json', text))).toThrow(message);
  });

  it('refuses a file that is no result', () => {
    expect(() => readResult(written('none.json', { format: 1 }))).toThrow(/no result of penstock bench/);
    expect(() => readResult(join(folder, 'missing.json'))).toThrow(/missing\.json/);
  });
});
