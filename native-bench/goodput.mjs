#!/usr/bin/env node
/**
 * Goodput within an SLO, live: open-loop load over HTTP against Penstock with each scheduling policy, and Triton, on instances
 * that take the time of a curve and no CPU. See GOODPUT.md.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { burstyArrivals, poissonArrivals } from '../dist/cli/bench/arrivals.js';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { goodputPoint } from '../dist/cli/bench/goodput-point.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { randomSource } from '../dist/cli/bench/random-source.js';
import { requestBytes } from '../dist/cli/bench/request-bytes.js';
import { parseShape, sampleInputs } from '../dist/cli/bench/sample-inputs.js';
import { timedCells } from './goodput/cells.mjs';
import { betweenRate, goodputOf } from './goodput/goodput-of.mjs';
import { REAL_MODELS, realCell, realRequests } from './goodput/real-models.mjs';
import { goodputReport, reportLine } from './goodput/report.mjs';
import { SIDES } from './goodput/sides.mjs';
import { targetOf } from './requests.mjs';
import { installTriton } from './triton/triton-server.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const HELP = `npm run bench:goodput -- [options]

For each curve and SLO: how many requests a second Penstock with each policy, and Triton, answer within the SLO (99 % of all
requests, latency from the due time), and what they do beyond. All sides of a cell get a rate at the same time, each from a load
generator of its own, so what else the machine does happens to all; overload is offered to one after another.

  --real LIST        instead: real models in one instance, of ${REAL_MODELS.join(', ')}; their sides run one after another
  --slo N            SLO of real models, in times of L(1) (default 4)
  --only TEXT        cells whose name contains it, e.g. 4+.3b-d4
  --sides A,B        of ${SIDES.map(({ name }) => name).join(', ')}; Triton's and 'floor' only where asked for
  --transport-ms N  what of the SLO the way to the server and back takes: it plans with the rest (default 1 % of it, at least 0.5)
  --arrivals KIND    poisson (default) or burst
  --bound R          slow the curves down until the fluid bound is about R requests/s (default 200; long SLOs 1.5 and 2.5 R)
  --rates LIST       shares of the fluid bound offered to all (default 0.3,0.4,...,0.7,0.75,...,1; - = none)
  --refine N         then halve N times between the last rate that did and the next, each side its own (default 2)
  --overload LIST    shares offered to one side after another (default 2,5,10; - = none)
  --confirm N        runs at the goodput found (default 0)
  --confirm-at S     or at this share of the fluid bound
  --seconds S        length of a run (default: 12 SLOs, 5 to 15 s)
  --warm-up S        seconds of the first of these shares before any run is measured (default 0)
  --overload-seconds S   length of a run in overload (default 10)
  --json FILE        write the figures; with --add, to those that are there
  --markdown FILE    write table and plots (SVG files beside it)`;

const { values: options } = parseArgs({
  options: {
    real: { type: 'string' },
    slo: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    sides: { type: 'string', default: 'penstock,symphony,pull-drop,pull,aimd,window-0.1' },
    'transport-ms': { type: 'string' },
    arrivals: { type: 'string', default: 'poisson' },
    bound: { type: 'string', default: '200' },
    rates: { type: 'string', default: '0.3,0.4,0.5,0.6,0.7,0.75,0.8,0.85,0.9,0.95,1' },
    refine: { type: 'string', default: '2' },
    overload: { type: 'string', default: '2,5,10' },
    confirm: { type: 'string', default: '0' },
    'confirm-at': { type: 'string' },
    seconds: { type: 'string' },
    'warm-up': { type: 'string', default: '0' },
    'overload-seconds': { type: 'string', default: '10' },
    json: { type: 'string' },
    add: { type: 'boolean', default: false },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const TIMED_MODEL = { name: 'timed', version: undefined };
const TIMED_INPUTS = [{ name: 'x', datatype: 'FP32', shape: [-1, 16] }];
/** More than are in flight: what is admitted at ten times the bound, for an SLO, and what is being refused. */
const CONNECTIONS = 4096;
/** The generator's own lateness beyond this share of the SLO makes a run the machine's, not the server's: it is repeated. */
const LATE_SHARE = 0.05;
const REPEATS = 1;
/** Of the SLO, what the way to the server and back takes where `--transport-ms` says nothing. */
const TRANSPORT_SHARE = 0.01;
const TRANSPORT_MS = 0.5;
/** What a new process does not know yet: its curve, its compiled code. Shares of the bound. */
const WARM_UP = [0.1, 0.3, 0.6];
const WARM_UP_SECONDS = 2;

const listOf = (text) => (text === '-' ? [] : text.split(',').map(Number));
const times = { poisson: poissonArrivals, burst: burstyArrivals }[options.arrivals];
const sides = options.sides.split(',').map((name) => SIDES.find((side) => side.name === name));
if (times === undefined || sides.includes(undefined)) {
  console.error(HELP);
  process.exit(2);
}
const installed = sides.some((side) => side.triton) ? installTriton(ortVersion()) : undefined;

function ortVersion() {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8')).version;
}

function timedRequests(target, random) {
  const shapes = new Map([['x', parseShape('x=1,16').axes]]);
  return [requestBytes(target, TIMED_MODEL, sampleInputs(TIMED_INPUTS, shapes, 'random', random), 'binary')];
}

/** The SLO that the servers of a cell plan with. */
function plannedSloMs({ sloMs }) {
  return sloMs - Number(options['transport-ms'] ?? Math.max(TRANSPORT_MS, TRANSPORT_SHARE * sloMs));
}

/** A side on a cell: its server, its generator, and runs of load on it. */
async function openSide(side, cell, folder) {
  const { sloMs } = cell.load;
  const seconds = options.seconds ? Number(options.seconds) : Math.min(15, Math.max(5, (12 * sloMs) / 1000));
  const server = await side.start(cell, folder, installed);
  const generator = startLoadGenerator();
  const target = targetOf('http', server.ports, cell.model ?? TIMED_MODEL.name);
  const random = randomSource(7);
  const requests = cell.model === undefined ? timedRequests(target, random) : realRequests(cell.model, target);
  const run = async (perSecond, length = seconds) => {
    const load = {
      kind: 'open',
      arrivalsMs: times(perSecond, length * 1000, random),
      connections: CONNECTIONS,
      drainMs: 500 + 2 * sloMs,
      withinMs: sloMs,
    };
    let point;
    for (let repeat = 0; repeat <= REPEATS; repeat++) {
      point = await goodputPoint(generator, { target, requests }, load, length);
      console.error(`${cell.name} ${side.name}: ${reportLine(point, cell)}`);
      if (!(point.generatorLateP99Ms > LATE_SHARE * sloMs)) break;
    }
    return point;
  };
  return {
    run,
    close: async () => {
      generator.end();
      await server.stop();
    },
  };
}

/** The first share of the bound that is measured. */
function firstShare() {
  return listOf(options.rates)[0] ?? Number(options['confirm-at']);
}

/** All sides, at rates of their own: at once, or one after another where a model computes. */
async function eachAt(cell, opened, rates, seconds = undefined) {
  const runOf = (side, i) => (rates[i] > 0 ? side.run(rates[i], seconds) : undefined);
  if (cell.model === undefined) return await Promise.all(opened.map(runOf));
  const points = [];
  for (const [i, side] of opened.entries()) points.push(await runOf(side, i));
  return points;
}

async function measureCell(cell, folder) {
  const bound = cell.boundPerSecond;
  const opened = await Promise.all(sides.map((side) => openSide(side, cell, folder)));
  const points = sides.map(() => []);
  const confirmed = sides.map(() => []);
  const overload = sides.map(() => []);
  const add = (to, seen) => {
    for (const [i, point] of seen.entries()) if (point !== undefined) to[i].push(point);
  };
  try {
    const all = (share) => opened.map(() => share * bound);
    for (const share of WARM_UP) await eachAt(cell, opened, all(share), WARM_UP_SECONDS);
    const warmUpSeconds = Number(options['warm-up']);
    if (warmUpSeconds > 0) await eachAt(cell, opened, all(firstShare()), warmUpSeconds);
    for (const share of listOf(options.rates)) add(points, await eachAt(cell, opened, all(share)));
    for (let step = 0; step < Number(options.refine); step++) {
      add(
        points,
        await eachAt(
          cell,
          opened,
          points.map((seen) => betweenRate(seen)),
        ),
      );
    }
    for (let round = 0; round < Number(options.confirm); round++) {
      add(
        confirmed,
        await eachAt(
          cell,
          opened,
          options['confirm-at'] ? all(Number(options['confirm-at'])) : points.map((seen) => goodputOf(seen)),
        ),
      );
    }
    for (const [i, side] of opened.entries()) {
      for (const share of listOf(options.overload))
        overload[i].push(await side.run(share * bound, Number(options['overload-seconds'])));
    }
  } finally {
    await Promise.all(opened.map((side) => side.close()));
  }
  const { name, curve, scale, slo, load, plannedSloMs, boundPerSecond } = cell;
  const { sloMs, instances } = load;
  const figures = sides.map((side, i) => ({
    name: side.name,
    points: points[i],
    confirmed: confirmed[i],
    overload: overload[i],
  }));
  const { arrivals } = options;
  return {
    name,
    curve,
    scale,
    slo,
    sloMs,
    plannedSloMs,
    instances,
    arrivals,
    warmUpSeconds: Number(options['warm-up']),
    boundPerSecond,
    loadAfter: loadavg()[0],
    sides: figures,
  };
}

const folder = mkdtempSync(join(tmpdir(), 'penstock-goodput-'));
try {
  const cells =
    options.real === undefined
      ? timedCells(Number(options.bound)).filter(({ name }) => name.includes(options.only))
      : await realCells(options.real.split(','));
  if (cells.length === 0) throw new Error(`no cell is named like ${options.only}`);
  const head = resultHead('goodput within an SLO', ROOT, {
    onnxruntime: ortVersion(),
    ...(installed && { triton: '2.51 (nvidia-pytriton 0.7.0)' }),
  });
  const measured = [];
  for (const cell of cells)
    measured.push(await measureCell({ ...cell, plannedSloMs: plannedSloMs(cell.load) }, join(folder, cell.name)));
  const before = options.add && existsSync(options.json) ? JSON.parse(readFileSync(options.json, 'utf8')).cells : [];
  const result = { ...head, cells: merged(before, measured) };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result)}\n`);
  console.log(goodputReport(result, options.markdown));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function realCells(models) {
  const cells = [];
  for (const model of models) cells.push(await realCell(model, Number(options.slo), join(folder, `curve-${model}`)));
  return cells;
}

/** Figures of the same cell and side go together. */
function merged(before, measured) {
  const cells = [...before];
  for (const cell of measured) {
    const same = cells.find(
      ({ name, arrivals, scale }) => name === cell.name && arrivals === cell.arrivals && scale === cell.scale,
    );
    if (same === undefined) {
      cells.push(cell);
      continue;
    }
    for (const side of cell.sides) {
      const known = same.sides.find(({ name }) => name === side.name);
      if (known === undefined) same.sides.push(side);
      else for (const kind of ['points', 'confirmed', 'overload']) known[kind].push(...side[kind]);
    }
  }
  return cells;
}
