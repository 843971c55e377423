#!/usr/bin/env node
/**
 * What the cost ledger costs: the time that metering adds to a request, against the CPU time of a request of the gateway. The added
 * time is a difference of small numbers, so it is taken where nothing else is: from the batcher and the executor alone, in fresh
 * processes by turns (with, without, without, with ..), and in instructions, which other load cannot blur. Both sides of the gateway
 * are measured by turns too, to be compared with that.
 *
 *   npm run bench:metering                   all of it, two to four minutes; exit code 1 where it is above 0.5 %
 *   npm run bench:metering -- --only loop    or gateway, instructions
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { median } from '../dist/cli/bench/statistics.js';
import { instructions, whyNoInstructions } from './counted-work.mjs';
import { interleaved } from './interleaved.mjs';
import { COUNTED } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const LOOP = join(HERE, 'metering-loop.mjs');
const LIMIT = 0.005;
const IN_FLIGHT = [1, 8];
const PARTS = ['loop', 'instructions', 'gateway'];
const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: PARTS },
    pairs: { type: 'string', default: '12' },
    requests: { type: 'string', default: '200000' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(`usage: npm run bench:metering -- [--only loop|instructions|gateway] [--pairs N] [--requests N] [--json]
CPU time and instructions that the cost ledger adds to a request; exit code 1 where they are above ${LIMIT * 100} %.`);
  process.exit(0);
}

/** Without threads that collect garbage: they wait for each other where other programs run. */
const ALONE = [process.execPath, '--single-threaded-gc'];

/** Runs the loop in a process of its own; CPU nanoseconds a request. */
function loop(metering, inFlight, requests, [program, ...words] = ALONE) {
  const asked = [LOOP, metering, inFlight, requests].map(String);
  const { stdout, stderr, status } = spawnSync(program, [...words, ...asked], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return Number(stdout);
}

/** The mean of what `with` has more than `without`, pair by pair, and two standard errors of it. */
function added(pairs) {
  const differences = pairs.map(([without, with_]) => with_ - without);
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (differences.length - 1);
  return { mean, interval: 2 * Math.sqrt(variance / differences.length) };
}

/** What other programs add comes to some processes, to the double at times, and never takes away: the lower quartile is free of it. */
function quartile(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 2];
}

const RESAMPLED = 2000;

/** By lower quartiles of the processes of each side; the interval has 19 of 20 differences of processes drawn anew. */
function addedNs(inFlight) {
  const sides = { off: [], on: [] };
  for (let i = 0; i < Number(options.pairs); i++)
    for (const metering of i % 2 === 0 ? ['off', 'on'] : ['on', 'off'])
      sides[metering].push(loop(metering, inFlight, Number(options.requests)));
  const drawn = (values) => values.map(() => values[Math.floor(Math.random() * values.length)]);
  const differences = Array.from({ length: RESAMPLED }, () => quartile(drawn(sides.on)) - quartile(drawn(sides.off)));
  differences.sort((a, b) => a - b);
  const [low, high] = [0.025, 0.975].map((p) => differences[Math.floor(p * RESAMPLED)]);
  const withoutNs = quartile(sides.off);
  return { withoutNs, addedNs: quartile(sides.on) - withoutNs, addedNsFrom: low, addedNsTo: high };
}

/** Of the loop, by the difference of two lengths: start and end of the process fall out. */
function addedInstructions(inFlight) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-metering-'));
  const out = join(folder, 'out');
  const total = (metering, requests) => {
    const alike = ['--single-threaded', '--hash-seed=1', '--random-seed=1', '--predictable-gc-schedule'];
    const valgrind = ['valgrind', '--tool=callgrind', '--smc-check=all-non-file', `--callgrind-out-file=${out}`];
    loop(metering, inFlight, requests, [...valgrind, process.execPath, ...alike]);
    return Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(out, 'utf8'))[1]);
  };
  try {
    const [few, many] = [20_000, 60_000];
    const [without, with_] = ['off', 'on'].map((one) => (total(one, many) - total(one, few)) / (many - few));
    return { withoutInstructions: without, addedInstructions: with_ - without };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const SCENARIOS = COUNTED.filter(({ name }) => IN_FLIGHT.some((inFlight) => name === `mlp-http-c${inFlight}`));
const FLAGS = ['--ingress-threads', '0'];

/** CPU time of a request of the gateway, with metering and without, by turns. */
async function gatewayCpu() {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-metering-'));
  const off = join(folder, 'off.yaml');
  const on = join(folder, 'on.yaml');
  writeFileSync(off, 'cost: { metering: false }\n');
  writeFileSync(on, 'cost: { devices: { cpu: { market: 0.4 } } }\n');
  const generator = startLoadGenerator();
  try {
    const launches = [off, on].map((file) => ({ flags: [...FLAGS, '--config', file] }));
    const sides = await interleaved(SCENARIOS, launches, generator, { starts: 3, rounds: 3, ms: 500 });
    const ofSide = (side, at) => side[at].rounds.map(({ cpuUsPerRequest }) => cpuUsPerRequest);
    return new Map(
      SCENARIOS.map(({ name }, at) => {
        const [without, with_] = sides.map((side) => ofSide(side, at));
        const { mean, interval } = added(without.map((value, i) => [value, with_[i]]));
        return [name, { cpuUs: median(with_), gatewayAddedUs: mean, gatewayAddedUsInterval: interval }];
      }),
    );
  } finally {
    generator.end();
    rmSync(folder, { recursive: true });
  }
}

const why = whyNoInstructions();
const wanted = new Set(
  options.only.flatMap((text) => text.split(',')).filter((part) => part !== 'instructions' || !why),
);
const cpu = wanted.has('gateway') ? await gatewayCpu() : new Map();
const gatewayInstructions = wanted.has('instructions') ? await instructions(SCENARIOS, { flags: FLAGS }) : new Map();
const rows = IN_FLIGHT.map((inFlight) => {
  const name = `mlp-http-c${inFlight}`;
  const row = { scenario: name, ...cpu.get(name) };
  if (wanted.has('loop')) Object.assign(row, addedNs(inFlight));
  if (wanted.has('instructions'))
    Object.assign(row, { instructions: gatewayInstructions.get(name), ...addedInstructions(inFlight) });
  if (row.cpuUs !== undefined && row.addedNs !== undefined) {
    row.timeShare = row.addedNs / 1e3 / row.cpuUs;
    row.timeShareFrom = row.addedNsFrom / 1e3 / row.cpuUs;
    row.timeShareTo = row.addedNsTo / 1e3 / row.cpuUs;
  }
  if (row.instructions !== undefined) row.instructionShare = row.addedInstructions / row.instructions;
  return row;
});
const found = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`,
  pairs: Number(options.pairs),
  requests: Number(options.requests),
  ...(why === undefined ? {} : { noInstructions: why }),
  rows,
};
if (options.json) console.log(JSON.stringify(found, undefined, 2));
else for (const row of rows) console.log(text(row));
// What a suite that runs this shows of it.
if (process.env.FIGURE !== undefined) appendFileSync(process.env.FIGURE, `${rows.map(text).join('\n')}\n`);
/** Above the limit for certain: an interval that reaches below it proves nothing. */
const over = rows.filter(
  ({ timeShareFrom = 0, instructionShare = 0 }) => timeShareFrom > LIMIT || instructionShare > LIMIT,
);
for (const { scenario } of over) console.error(`${scenario}: metering takes more than ${LIMIT * 100} %`);
process.exitCode = over.length === 0 ? 0 : 1;

function text(row) {
  const shown = [row.scenario];
  const percent = (share) => `${(share * 100).toFixed(2)} %`;
  if (row.addedNs !== undefined)
    shown.push(
      `${row.addedNs.toFixed(0)} ns (${row.addedNsFrom.toFixed(0)} to ${row.addedNsTo.toFixed(0)}) added to ${row.withoutNs.toFixed(0)} in the loop`,
    );
  if (row.cpuUs !== undefined)
    shown.push(
      `${row.cpuUs.toFixed(1)} us CPU a request of the gateway (${row.gatewayAddedUs.toFixed(2)} +- ${row.gatewayAddedUsInterval.toFixed(2)} us more than without)`,
    );
  if (row.timeShare !== undefined)
    shown.push(
      `${percent(row.timeShare)} (${percent(row.timeShareFrom)} to ${percent(row.timeShareTo)}) of the CPU time`,
    );
  if (row.instructions !== undefined)
    shown.push(
      `${row.addedInstructions.toFixed(0)} of ${row.instructions.toFixed(0)} instructions, ${percent(row.instructionShare)}`,
    );
  return shown.join('; ');
}
