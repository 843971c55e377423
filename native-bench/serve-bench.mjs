#!/usr/bin/env node
/**
 * The gateway under load, as ratios to a floor: both measured by turns, in one run, on one machine.
 *
 *   npm run bench                      every scenario of scenarios.mjs and special-scenarios.mjs, 3 rounds
 *   npm run bench -- --only mlp-http   scenarios whose name contains the text
 *   npm run bench -- --quick           a few, in short rounds; fails beyond the limits of bench-floors.json
 *   npm run bench -- --json out.json   also writes the figures, with machine, versions and commit
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { LatencyHistogram } from '../dist/cli/bench/latency-histogram.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { autocannonRound } from './autocannon-round.mjs';
import { bareFloor, buildNativeFloor, nativeFloor } from './floors.mjs';
import { startGateway } from './gateway-process.mjs';
import { beyond, limitsOf } from './limits.mjs';
import { requestsFor, targetOf } from './requests.mjs';
import { MODELS, QUICK, SCENARIOS } from './scenarios.mjs';
import { SPECIAL } from './special-scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..');
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'string' },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    only: { type: 'string', default: '' },
    floor: { type: 'string' },
    client: { type: 'string', default: 'own' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(
    'usage: npm run bench -- [--quick] [--rounds N] [--ms MS] [--only TEXT] [--floor native|bare] [--client own|autocannon] [--json FILE]',
  );
  process.exit(0);
}
const ROUNDS = Number(options.rounds ?? 3);
/** A gRPC path is compiled by then. */
const WARM_UP_MS = 1000;
const MS = Number(options.ms ?? (options.quick ? 600 : 1000));
const chosen = (name) => name.includes(options.only) && (!options.quick || QUICK.includes(name) || name in SPECIAL);

/** The quick form always has the same floor, so that its limits mean the same everywhere. */
function chooseFloor() {
  if (options.floor === 'bare' || (options.quick && options.floor === undefined)) return bareFloor();
  const { program, why } = buildNativeFloor();
  if (program !== undefined) return nativeFloor(program);
  if (options.floor === 'native') throw new Error(`no native floor: ${why}`);
  console.log(`no native floor (${why}): bare onnxruntime-node instead`);
  return bareFloor();
}

/** One closed-loop scenario and the floor, by turns. */
async function measureScenario(scenario, { floor, generator, gateway }) {
  const { name, model, protocol, concurrency, format } = scenario;
  const target = targetOf(protocol, gateway.ports, model);
  const requests = requestsFor(model, target, { format });
  const job = (ms) => ({ target, requests, load: { kind: 'closed', concurrency, ms } });
  const question = { model: join(HERE, 'models', model, '1/model.onnx'), length: MODELS[model].length, ms: MS / 2 };
  const second = options.client === 'autocannon' && protocol === 'http';
  const latency = new LatencyHistogram();
  const rounds = [];
  await generator.run(job(Math.max(MS, WARM_UP_MS)));
  for (let round = 0; round < ROUNDS; round++) {
    const bare = [];
    for (const batch of MODELS[model].floorBatches) bare.push(await floor.measure({ ...question, batch }));
    const { figures, result } = second
      ? await autocannonRound(job(MS), gateway.cpuUs)
      : await measureRound(generator, job(MS), gateway.cpuUs);
    if (result !== undefined) latency.add(result.latency);
    if (result?.firstError !== undefined) console.error(`${name}: ${result.firstError}`);
    rounds.push({
      ...figures,
      floorPerSecond: bare[0].itemsPerSecond,
      ratio: figures.perSecond / bare[0].itemsPerSecond,
      ratioToBest: figures.perSecond / Math.max(...bare.map(({ itemsPerSecond }) => itemsPerSecond)),
      // Work of the gateway's process against the floor's, both in CPU time: waiting and other load do not count.
      work: figures.cpuUsPerRequest / bare[0].cpuUsPerItem,
      addedP50Us: figures.p50Us - bare[0].p50Us,
    });
  }
  return { name, rounds, latency: latency.data() };
}

function row({ name, rounds }) {
  const pick = (key) => median(rounds.map((round) => round[key]));
  const ratios = rounds.map(({ ratio }) => ratio);
  return {
    scenario: name,
    requestsPerSecond: Math.round(pick('perSecond')),
    p50Us: Math.round(pick('p50Us')),
    p99Us: Math.round(pick('p99Us')),
    ratio: Number(pick('ratio').toFixed(3)),
    ratioToBest: Number(pick('ratioToBest').toFixed(3)),
    cpuUsPerRequest: Number(pick('cpuUsPerRequest').toFixed(1)),
    work: Number(pick('work').toFixed(2)),
    addedP50Us: Math.round(pick('addedP50Us')),
    spread: Number(((Math.max(...ratios) - Math.min(...ratios)) / pick('ratio')).toFixed(3)),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
  };
}

function line(figures) {
  const { scenario, requestsPerSecond, p50Us, p99Us, ratio, ratioToBest, cpuUsPerRequest, work, spread, errors } =
    figures;
  const padded = (value, width) => String(value).padStart(width);
  return (
    `${scenario.padEnd(18)} ${padded(requestsPerSecond, 7)} requests/s  p50 ${padded(p50Us, 7)} us  p99 ${padded(p99Us, 7)} us  ` +
    `${ratio.toFixed(2)} of the floor at batch 1, ${ratioToBest.toFixed(2)} of its best (spread ${(spread * 100).toFixed(0)} %), ` +
    `CPU ${padded(cpuUsPerRequest, 7)} us/request, ${work.toFixed(2)} x the floor's${errors > 0 ? `  ${errors} ERRORS` : ''}`
  );
}

const versions = {
  onnxruntime: JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8')).version,
};
const floor = chooseFloor();
const head = resultHead('npm run bench', ROOT, versions);
console.log(
  `floor: ${floor.name}; ${ROUNDS} rounds of ${MS} ms; load of the machine before: ${head.machine.loadBefore.toFixed(2)}`,
);
const generator = startLoadGenerator();
const gateway = await startGateway({});
const scenarios = [];
const rows = [];
try {
  for (const scenario of SCENARIOS.filter(({ name }) => chosen(name))) {
    const measured = await measureScenario(scenario, { floor, generator, gateway });
    scenarios.push(measured);
    rows.push(row(measured));
    console.log(line(rows.at(-1)));
  }
  for (const [name, measure] of Object.entries(SPECIAL).filter(([name]) => chosen(name))) {
    rows.push(await measure({ gateway, generator, rounds: ROUNDS, ms: MS }));
    const { scenario: _, ...figures } = rows.at(-1);
    const texts = Object.entries(figures).map(([key, value]) => `${key} ${value}`);
    console.log(`${name.padEnd(18)} ${texts.join(', ')}`);
  }
} finally {
  floor.end();
  generator.end();
  const code = await gateway.stop();
  if (code !== 0) {
    console.error(`the gateway ended with ${code}`);
    process.exitCode = 1;
  }
}
console.log(`load of the machine after: ${loadavg()[0].toFixed(2)}`);
if (options.json) writeFileSync(options.json, `${JSON.stringify({ ...head, floor: floor.name, scenarios, rows })}\n`);
const failures = rows.filter(({ errors }) => errors > 0).map(({ scenario, errors }) => `${scenario}: ${errors} errors`);
if (rows.length === 0) failures.push(`no scenario is named like ${options.only}`);
if (options.quick) {
  const limits = limitsOf('quick');
  for (const figures of rows) failures.push(...beyond(figures, limits[figures.scenario]));
}
for (const failure of failures) console.error(failure);
if (failures.length > 0) process.exitCode = 1;
