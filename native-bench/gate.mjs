#!/usr/bin/env node
/**
 * The regression gate: two builds by turns on one machine, their ratio with an interval for each scenario, and an exit code. Timed in
 * short rounds of many starts, and counted (instructions, heap bytes of a request) in a few.
 *
 *   npm run bench:gate -- --baseline ../before/dist --candidate dist [--only TEXT] [--starts 12] [--rounds 4] [--ms 250] [--counted 3]
 *                         [--thresholds FILE] [--html FILE] [--markdown FILE] [--json-prefix PATH]
 *
 * `--baseline` and `--candidate` are builds: a `dist` folder, or a checkout that has one, each with its own node_modules in
 * reach. Exit code 0: nothing is worse; 1: something is, or failed.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { comparisonHtml } from '../dist/cli/bench/compare-html.js';
import { comparisonMarkdown } from '../dist/cli/bench/compare-markdown.js';
import { compareResults } from '../dist/cli/bench/comparison.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { readThresholds } from '../dist/cli/bench/thresholds.js';
import { countedStarts } from './counted-starts.mjs';
import { whyNoInstructions } from './counted-work.mjs';
import { interleaved } from './interleaved.mjs';
import { SCENARIOS } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const GATED = ['mlp-http-c8', 'mlp-http-json-c8', 'mlp-ws-c8', 'mlp-grpc-c8', 'noop-http-c8'];
const { values: options } = parseArgs({
  options: {
    baseline: { type: 'string' },
    candidate: { type: 'string', default: join(HERE, '../dist') },
    only: { type: 'string', default: '' },
    starts: { type: 'string', default: '12' },
    rounds: { type: 'string', default: '4' },
    ms: { type: 'string', default: '250' },
    counted: { type: 'string', default: '3' },
    thresholds: { type: 'string', default: join(HERE, 'gate-thresholds.json') },
    markdown: { type: 'string' },
    html: { type: 'string' },
    'json-prefix': { type: 'string' },
    help: { type: 'boolean' },
  },
});

const USAGE = `usage: npm run bench:gate -- --baseline DIR [options]
Two builds by turns on this machine: is the candidate worse? Exit code 0: no; 1: yes, or a scenario failed; 2: wrong options.

  --baseline DIR      the build before: a dist folder, or a checkout that has one
  --candidate DIR     the build after; default this checkout's
  --only TEXT         of ${GATED.join(', ')} those whose name contains the text
  --starts N          samples of the timed part: fresh starts of both; default 12
  --rounds N          rounds of a sample; default 4
  --ms MS             of a round; default 250
  --counted N         starts of the counted part; default 3, 0: none
  --thresholds FILE   tolerances; default native-bench/gate-thresholds.json
  --html FILE, --markdown FILE   write the report
  --json-prefix PATH  write PATHbaseline.json and PATHcandidate.json, for penstock bench compare`;

function refuse(message) {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

function buildOf(folder) {
  const dist = [resolve(folder), resolve(folder, 'dist')].find((path) => existsSync(join(path, 'cli/penstock.cjs')));
  if (dist === undefined) refuse(`${folder} holds no build (cli/penstock.cjs)`);
  return dist;
}

if (options.baseline === undefined) refuse('--baseline is needed: a dist folder, or a checkout that has one');
const thresholds = readThresholds(options.thresholds);
const effort = { starts: Number(options.starts), rounds: Number(options.rounds), ms: Number(options.ms) };
const chosen = SCENARIOS.filter(({ name }) => GATED.includes(name) && name.includes(options.only));
const builds = [options.baseline, options.candidate].map(buildOf);
const generator = startLoadGenerator();
let results;
try {
  const sides = await interleaved(
    chosen,
    builds.map((dist) => ({ dist })),
    generator,
    effort,
  );
  const counted = await countedStarts(
    builds.map((dist) => ({ dist })),
    Number(options.counted),
    options.only === '' ? {} : { allocated: [options.only], instructed: [options.only] },
  );
  results = builds.map((dist, i) => ({ ...resultHead(dist, dist, {}), scenarios: [...sides[i], ...counted[i]] }));
} finally {
  generator.end();
}
const comparison = compareResults(...results, thresholds, true);
const report = comparisonMarkdown(...results, comparison);
console.log(report);
if (whyNoInstructions() !== undefined) console.log(`instructions were not counted: ${whyNoInstructions()}`);
if (options.markdown !== undefined) writeFileSync(options.markdown, report);
if (options.html !== undefined) writeFileSync(options.html, comparisonHtml(...results, comparison));
if (options['json-prefix'] !== undefined)
  results.forEach((result, i) => {
    writeFileSync(`${options['json-prefix']}${['baseline', 'candidate'][i]}.json`, `${JSON.stringify(result)}\n`);
  });
if (chosen.length === 0 || !comparison.passed) process.exitCode = 1;
