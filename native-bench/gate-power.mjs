#!/usr/bin/env node
/**
 * What the gate is worth: how often it calls one and the same build worse (A/A), and how often it finds a regression put in on
 * purpose (`burn-preload.mjs`) of 5, 10 and 20 % of the CPU time of a request. Same interleaving, thresholds and judgement
 * as `gate.mjs`; the gateways are started anew for each repeat, since a process has its luck (memory layout, JIT).
 *
 *   node native-bench/gate-power.mjs [--repeats 10] [--rounds 20] [--ms 300] [--scenario mlp-http-c8] [--percents 0,5,10,20]
 */
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { compareResults } from '../dist/cli/bench/comparison.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { readThresholds } from '../dist/cli/bench/thresholds.js';
import { startGateway } from './gateway-process.mjs';
import { interleaved } from './interleaved.mjs';
import { requestsFor, targetOf } from './requests.mjs';
import { SCENARIOS } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    repeats: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '20' },
    ms: { type: 'string', default: '300' },
    scenario: { type: 'string', default: 'mlp-http-c8' },
    percents: { type: 'string', default: '0,5,10,20' },
    thresholds: { type: 'string', default: join(HERE, 'gate-thresholds.json') },
  },
});
const scenario = SCENARIOS.find(({ name }) => name === options.scenario);
if (scenario?.protocol !== 'http') throw new Error('--scenario: one of scenarios.mjs over HTTP, where the burn is');
const effort = { rounds: Number(options.rounds), ms: Number(options.ms) };
const thresholds = readThresholds(options.thresholds);
const generator = startLoadGenerator();

/** CPU time of a request without any burn, in microseconds. */
async function calibrate() {
  const gateway = await startGateway({});
  const target = targetOf('http', gateway.ports, scenario.model);
  const requests = requestsFor(scenario.model, target, { format: scenario.format });
  const job = { target, requests, load: { kind: 'closed', concurrency: scenario.concurrency, ms: 1000 } };
  const seen = [];
  for (let round = 0; round < 6; round++) seen.push((await measureRound(generator, job, gateway.cpuUs)).figures);
  await gateway.stop();
  return median(seen.slice(1).map(({ cpuUsPerRequest }) => cpuUsPerRequest));
}

/** One run of the gate on a build and itself with a burn; the burn is there in both, of zero length in the baseline. */
async function gateOnce(burnUs) {
  const preload = [join(HERE, 'burn-preload.mjs')];
  const gateways = [];
  try {
    for (const us of [0, burnUs]) gateways.push(await startGateway({ preload, env: { BENCH_BURN_US: String(us) } }));
    const sides = await interleaved(scenario, gateways, generator, effort);
    const results = sides.map((side) => ({ ...resultHead('power', HERE, {}), scenarios: [side] }));
    return compareResults(...results, thresholds, true).figures.filter(({ tolerance }) => tolerance !== undefined);
  } finally {
    for (const gateway of gateways) await gateway.stop();
  }
}

const requestUs = await calibrate();
console.log(
  `${scenario.name}: ${requestUs.toFixed(1)} us of CPU a request; ${options.repeats} repeats of ${effort.rounds} pairs of ${effort.ms} ms`,
);
for (const percent of options.percents.split(',').map(Number)) {
  const runs = [];
  for (let repeat = 0; repeat < Number(options.repeats); repeat++)
    runs.push(await gateOnce((requestUs * percent) / 100));
  const found = runs.filter((figures) => figures.some(({ verdict }) => verdict === 'worse')).length;
  const metrics = runs[0].map(({ metric }, i) => {
    const ratios = runs.map((figures) => figures[i].estimate.ratio).sort((a, b) => a - b);
    const worse = runs.filter((figures) => figures[i].verdict === 'worse').length;
    return `${metric} worse in ${worse}, ratio ${median(ratios).toFixed(3)} (${ratios[0].toFixed(3)} .. ${ratios.at(-1).toFixed(3)})`;
  });
  console.log(
    `+${percent} %: called worse in ${found} of ${runs.length}; ${metrics.join('; ')}; load ${loadavg()[0].toFixed(2)}`,
  );
}
generator.end();
