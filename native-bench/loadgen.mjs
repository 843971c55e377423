#!/usr/bin/env node
/**
 * MLPerf LoadGen as an independent referee of `penstock bench`: its Server scenario and our open loop with Poisson arrivals, at the
 * same rate on the same server, by turns.
 *
 *   npm run bench:loadgen [-- --model cnn --rate 100 --latency-ms 50 --seconds 10 --rounds 3 --protocol grpc|http --url HOST:PORT --json FILE]
 *
 * Without `--url` it starts a gateway on the bench models. LoadGen comes from PyPI on first use. Exit code 1: the two disagree, or
 * LoadGen says INVALID (99 % of the queries not within the bound).
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { median } from '../dist/cli/bench/statistics.js';
import { startGateway } from './gateway-process.mjs';
import { pythonVenv } from './python-venv.mjs';
import { MODELS } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);
const PACKAGES = ['mlcommons-loadgen==6.0.17', 'tritonclient[http,grpc]==2.73.0', 'numpy'];
/**
 * When the two agree: their ranges over the rounds, widened by so much, overlap. A client in Python takes up to a millisecond more of
 * each latency than ours, two at the tail; Poisson arrivals of one seed differ from another's by some percent.
 */
const SLACK = {
  perSecond: { share: 0.05, plus: 0 },
  p50Us: { share: 0.1, plus: 1000 },
  p90Us: { share: 0.15, plus: 1500 },
  p99Us: { share: 0.2, plus: 2000 },
};
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'cnn' },
    shape: { type: 'string', multiple: true, default: [] },
    rate: { type: 'string', default: '100' },
    'latency-ms': { type: 'string', default: '50' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    protocol: { type: 'string', default: 'grpc' },
    url: { type: 'string' },
    json: { type: 'string' },
  },
});
const { model, protocol, rate, seconds } = options;

/** Sizes of a bench model's inputs; of other models, what `--shape` says. */
function shapes() {
  if (options.shape.length > 0 || options.url !== undefined || MODELS[model] === undefined) return options.shape;
  return MODELS[model].inputs.map(([name, , sizes]) => `${name}=${sizes.replace(/\.\.\d+/g, '')}`);
}

const shapeWords = shapes().flatMap((shape) => ['--shape', shape]);

async function loadgenRound(python, url, seed) {
  const words = [
    '--protocol',
    protocol,
    '--url',
    url,
    '--model',
    model,
    '--rate',
    rate,
    '--seconds',
    seconds,
    ...shapeWords,
  ];
  const { stdout } = await run(python, [
    join(HERE, 'loadgen/server_scenario.py'),
    ...words,
    '--latency-ms',
    options['latency-ms'],
    '--seed',
    String(seed),
  ]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function penstockRound(url, seed, folder) {
  const to = protocol === 'grpc' ? ['--grpc', url] : ['--url', `http://${url}`];
  const file = join(folder, 'round.json');
  const words = [
    'bench',
    'run',
    ...to,
    '--model',
    model,
    '--rate',
    rate,
    '--arrivals',
    'poisson',
    '--rounds',
    '1',
    ...shapeWords,
  ];
  const program = join(HERE, '../dist/cli/penstock.cjs');
  await run(process.execPath, [
    program,
    ...words,
    '--seconds',
    seconds,
    '--connections',
    '64',
    '--seed',
    String(seed),
    '--json',
    file,
  ]);
  return JSON.parse(readFileSync(file, 'utf8')).scenarios[0].rounds[0];
}

function range(rounds, key) {
  const values = rounds.map((round) => round[key]);
  return { low: Math.min(...values), high: Math.max(...values), middle: median(values) };
}

function compared(key, ours, theirs) {
  const { share, plus } = SLACK[key];
  const a = range(ours, key);
  const b = range(theirs, key);
  const agree = a.low * (1 - share) - plus <= b.high && b.low * (1 - share) - plus <= a.high;
  return { key, ours: a, theirs: b, agree };
}

const folder = mkdtempSync(join(tmpdir(), 'penstock-loadgen-'));
let gateway;
try {
  const venv = pythonVenv('loadgen', PACKAGES, process.env.LOADGEN_VENV);
  const head = resultHead('MLPerf LoadGen and penstock bench by turns', join(HERE, '..'), { loadgen: '6.0.17' });
  if (options.url === undefined) gateway = await startGateway({});
  const url = options.url ?? `127.0.0.1:${gateway.ports[protocol]}`;
  const ours = [];
  const theirs = [];
  // Neither is to find a cold path.
  await penstockRound(url, 99, folder);
  for (let round = 1; round <= Number(options.rounds); round++) {
    theirs.push(await loadgenRound(join(venv, 'bin/python'), url, round));
    ours.push(await penstockRound(url, round, folder));
  }
  const figures = Object.keys(SLACK).map((key) => compared(key, ours, theirs));
  const verdicts = theirs.map(({ verdict }) => verdict);
  console.log(
    `${model} over ${protocol}, ${rate} queries/s for ${seconds} s, ${options.rounds} rounds by turns; load of the machine before ${head.machine.loadBefore.toFixed(2)}, after ${loadavg()[0].toFixed(2)}`,
  );
  console.log(
    `MLPerf LoadGen, Server scenario, 99 % within ${options['latency-ms']} ms: ${verdicts.join(', ')} (early stopping satisfied: ${theirs.map(({ earlyStopping }) => earlyStopping).join(', ')})`,
  );
  const text = ({ low, high, middle }) => `${middle.toFixed(0)} (${low.toFixed(0)} .. ${high.toFixed(0)})`;
  for (const { key, ours: a, theirs: b, agree } of figures)
    console.log(
      `${key.padEnd(10)} LoadGen ${text(b).padStart(28)}   penstock bench ${text(a).padStart(28)}   ${agree ? 'agree' : 'DISAGREE'} (within ${SLACK[key].share * 100} % + ${SLACK[key].plus} us)`,
    );
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ ...head, options, ours, theirs, figures })}\n`);
  const errors = [...ours, ...theirs].reduce((sum, round) => sum + round.errors, 0);
  if (errors > 0)
    console.error(`${errors} requests failed: ${theirs.find(({ firstError }) => firstError)?.firstError ?? ''}`);
  if (errors > 0 || figures.some(({ agree }) => !agree) || verdicts.some((verdict) => verdict !== 'VALID'))
    process.exitCode = 1;
} catch (thrown) {
  console.error(thrown.stderr || thrown.message);
  process.exitCode = 1;
} finally {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
}
