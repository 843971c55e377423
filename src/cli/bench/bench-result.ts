import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { HistogramData } from './latency-histogram.js';

/** Figures of one round. A key that a round does not have was not measured. */
export interface RoundFigures {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly answers: number;
  readonly errors: number;
  /** CPU time of the server's process for each answer. */
  readonly cpuUsPerRequest?: number;
  /** Counted under other conditions than the rest, in starts of their own: `npm run bench:gate`. */
  readonly instructionsPerRequest?: number;
  readonly heapBytesPerRequest?: number;
  /** Open loop: how late the generator itself was. */
  readonly generatorLagP99Us?: number;
}

/** One workload: its rounds, and all their latencies together. */
export interface ScenarioResult {
  readonly name: string;
  readonly rounds: readonly RoundFigures[];
  readonly latency: HistogramData;
}

/** A result file (`penstock bench run --json`); what `bench compare` reads. */
export interface BenchResult {
  readonly format: 1;
  readonly date: string;
  /** What was measured, in words. */
  readonly subject: string;
  readonly commit: string | undefined;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    /** Load average of the last minute before the run: what else ran. */
    readonly loadBefore: number;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly scenarios: readonly ScenarioResult[];
}

/** The result's head: when, where and with what. `folder` is where the commit is looked up, if it is in a repository. */
export function resultHead(
  subject: string,
  folder: string,
  versions: Readonly<Record<string, string>>,
): Omit<BenchResult, 'scenarios'> {
  return {
    format: 1,
    date: new Date().toISOString(),
    subject,
    commit: commitOf(folder),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      loadBefore: loadavg()[0]!,
    },
    versions: { node: process.versions.node, ...versions },
  };
}

/** Reads a result file. Throws `CliError` where it is none. */
export function readResult(path: string): BenchResult {
  let parsed: Partial<BenchResult> | null;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8')) as Partial<BenchResult> | null;
  } catch (thrown) {
    throw new CliError(`${path}: ${(thrown as Error).message}`, EXIT_CODES.usage);
  }
  const valid =
    parsed?.format === 1 &&
    Array.isArray(parsed.scenarios) &&
    parsed.scenarios.every(({ name, rounds }) => typeof name === 'string' && Array.isArray(rounds));
  if (!valid) throw new CliError(`${path}: no result of penstock bench (format 1)`, EXIT_CODES.usage);
  return parsed as BenchResult;
}

function commitOf(folder: string): string | undefined {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : '+changes');
  } catch {
    return undefined;
  }
}
