import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { readResult } from './bench-result.js';
import { comparisonHtml } from './compare-html.js';
import { comparisonMarkdown } from './compare-markdown.js';
import { compareResults } from './comparison.js';
import { DEFAULT_THRESHOLDS, readThresholds } from './thresholds.js';

export interface BenchCompareOptions {
  readonly thresholds: string | undefined;
  /** Whether the rounds of both were taken by turns. */
  readonly paired: boolean;
  /** Files that the report is written to. */
  readonly markdown: string | undefined;
  readonly html: string | undefined;
}

/** `penstock bench compare`: is the second result worse than the first? Fails where it is. */
export function benchCompare(before: string, after: string, options: BenchCompareOptions, io: CliIo): number {
  const [baseline, candidate] = [readResult(resolve(io.cwd, before)), readResult(resolve(io.cwd, after))];
  const thresholds =
    options.thresholds === undefined ? DEFAULT_THRESHOLDS : readThresholds(resolve(io.cwd, options.thresholds));
  const comparison = compareResults(baseline, candidate, thresholds, options.paired);
  const report = comparisonMarkdown(baseline, candidate, comparison);
  io.stdout.write(report);
  if (options.markdown !== undefined) writeFileSync(resolve(io.cwd, options.markdown), report);
  if (options.html !== undefined)
    writeFileSync(resolve(io.cwd, options.html), comparisonHtml(baseline, candidate, comparison));
  return comparison.passed ? EXIT_CODES.done : EXIT_CODES.failed;
}
