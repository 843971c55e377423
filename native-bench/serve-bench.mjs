#!/usr/bin/env node
/**
 * The gateway under load, as ratios to a floor: both measured by turns, in one run, on one machine.
 *
 *   npm run bench                      every scenario of scenarios.mjs and special-scenarios.mjs, 3 rounds
 *   npm run bench -- --only mlp-http   scenarios whose name contains the text
 *   npm run bench -- --quick           a few, in short rounds; fails beyond the limits of bench-floors.json
 *   npm run bench -- --apart           models and the floor on the last core, all else on the others (Linux)
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
import { CORES, keepApart, modelThreadsUs, placeModelThreads } from './model-threads.mjs';
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
    apart: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(
    'usage: npm run bench -- [--quick] [--rounds N] [--ms MS] [--only TEXT] [--floor native|bare] [--client own|autocannon] [--apart] [--json FILE]',
  );
  process.exit(0);
}
const ROUNDS = Number(options.rounds ?? 3);
/** A gRPC path is compiled by then. */
const WARM_UP_MS = 1000;
/** A model of some milliseconds is asked too seldom for that: what all models share is compiled with a quick one, once a protocol. */
const QUICK_MODEL = 'mlp';
const warm = new Set();
const MS = Number(options.ms ?? (options.quick ? 600 : 1000));
const chosen = (name) => name.includes(options.only) && (!options.quick || QUICK.includes(name) || name in SPECIAL);

const under = options.apart ? ['taskset', '-c', CORES.models] : [];
if (options.apart) keepApart();

/** The quick form always has the same floor, so that its limits mean the same everywhere. */
function chooseFloor() {
  if (options.floor === 'bare' || (options.quick && options.floor === undefined)) return bareFloor({ under });
  const { program, why } = buildNativeFloor();
  if (program !== undefined) return nativeFloor(program, { under });
  if (options.floor === 'native') throw new Error(`no native floor: ${why}`);
  console.log(`no native floor (${why}): bare onnxruntime-node instead`);
  return bareFloor({ under });
}

/** The floor at batch 1, and the best that it does with as many callers as the scenario has, on the very same requests. */
async function measureFloor(floor, { model, concurrency }) {
  const question = { model, ms: MS / 2 };
  const single = await floor.measure({ ...question, callers: 1, batch: 1 });
  let best = single;
  for (const batch of MODELS[model].floorBatches.filter((batch) => batch > 1 && concurrency > 1)) {
    const found = await floor.measure({ ...question, callers: concurrency, batch });
    if (found.itemsPerSecond > best.itemsPerSecond) best = found;
  }
  return { single, best };
}

async function warmUp({ model, protocol }, job, { generator, gateway }) {
  if (!warm.has(protocol)) {
    warm.add(protocol);
    const target = targetOf(protocol, gateway.ports, QUICK_MODEL);
    const load = { kind: 'closed', concurrency: 8, ms: 2 * WARM_UP_MS };
    await generator.run({ target, requests: requestsFor(QUICK_MODEL, target), load });
  }
  // Twice where a model is seen first: its runs may get a thread of their own meanwhile.
  if (!warm.has(model)) await generator.run(job(WARM_UP_MS));
  warm.add(model);
  await generator.run(job(Math.max(MS, WARM_UP_MS)));
  if (options.apart) placeModelThreads(gateway.pid);
}

/** One closed-loop scenario and the floor, by turns. */
async function measureScenario(scenario, { floor, generator, gateway }) {
  const { name, model, protocol, concurrency, format } = scenario;
  const target = targetOf(protocol, gateway.ports, model);
  const requests = requestsFor(model, target, { format });
  const job = (ms) => ({ target, requests, load: { kind: 'closed', concurrency, ms } });
  const second = options.client === 'autocannon' && protocol === 'http';
  const latency = new LatencyHistogram();
  const rounds = [];
  await warmUp(scenario, job, { generator, gateway });
  for (let round = 0; round < ROUNDS; round++) {
    const { single, best } = await measureFloor(floor, scenario);
    const before = modelThreadsUs(gateway.pid);
    const { figures, result } = second
      ? await autocannonRound(job(MS), gateway.cpuUs)
      : await measureRound(generator, job(MS), gateway.cpuUs);
    const modelUs = (modelThreadsUs(gateway.pid) - before) / figures.answers;
    if (result !== undefined) latency.add(result.latency);
    if (result?.firstError !== undefined) console.error(`${name}: ${result.firstError}`);
    rounds.push({
      ...figures,
      floorPerSecond: single.itemsPerSecond,
      bestFloorPerSecond: best.itemsPerSecond,
      ratio: figures.perSecond / single.itemsPerSecond,
      ratioToBest: figures.perSecond / best.itemsPerSecond,
      // Work of the gateway's process against the floor's, both in CPU time: waiting and other load do not count.
      work: figures.cpuUsPerRequest / single.cpuUsPerItem,
      // Where the model has threads of its own: the floor's CPU time over theirs. Below 1 it runs slower here than bare.
      ...(modelUs > 1 ? { modelRatio: best.cpuUsPerItem / modelUs, outsideUs: figures.cpuUsPerRequest - modelUs } : {}),
      addedP50Us: figures.p50Us - best.p50Us,
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
    ...(rounds.every(({ modelRatio }) => modelRatio !== undefined)
      ? { modelRatio: Number(pick('modelRatio').toFixed(3)), outsideUs: Math.round(pick('outsideUs')) }
      : {}),
    addedP50Us: Math.round(pick('addedP50Us')),
    spread: Number(((Math.max(...ratios) - Math.min(...ratios)) / pick('ratio')).toFixed(3)),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
  };
}

function line(figures) {
  const { scenario, requestsPerSecond, p50Us, p99Us, ratio, ratioToBest, cpuUsPerRequest, work, spread, errors } =
    figures;
  const { modelRatio, outsideUs, addedP50Us } = figures;
  const inside =
    modelRatio === undefined ? '' : `, ${modelRatio.toFixed(2)} inside its threads, ${outsideUs} us outside`;
  const padded = (value, width) => String(value).padStart(width);
  return (
    `${scenario.padEnd(18)} ${padded(requestsPerSecond, 7)} requests/s  p50 ${padded(p50Us, 7)} us  p99 ${padded(p99Us, 7)} us  ` +
    `${ratio.toFixed(2)} of the floor at batch 1, ${ratioToBest.toFixed(2)} of its best (spread ${(spread * 100).toFixed(0)} %), ` +
    `CPU ${padded(cpuUsPerRequest, 7)} us/request, ${work.toFixed(2)} x the floor's${inside}, p50 + ${addedP50Us} us${errors > 0 ? `  ${errors} ERRORS` : ''}`
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
