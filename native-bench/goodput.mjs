#!/usr/bin/env node
/**
 * Goodput within an SLO, live: open-loop load over HTTP against Penstock with each scheduling policy, and Triton, on instances
 * that take the time of a curve and no CPU. See GOODPUT.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { burstyArrivals, poissonArrivals } from '../dist/cli/bench/arrivals.js';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { goodputPoint } from '../dist/cli/bench/goodput-point.js';
import { searchGoodput } from '../dist/cli/bench/goodput-search.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { randomSource } from '../dist/cli/bench/random-source.js';
import { requestBytes } from '../dist/cli/bench/request-bytes.js';
import { sampleInputs } from '../dist/cli/bench/sample-inputs.js';
import { timedCells } from './goodput/cells.mjs';
import { goodputReport, reportLine } from './goodput/report.mjs';
import { SIDES } from './goodput/sides.mjs';
import { targetOf } from './requests.mjs';
import { installTriton } from './triton/triton-server.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const HELP = `npm run bench:goodput -- [options]

Searches, for each curve and SLO, the highest rate that Penstock with each policy, and Triton, answers within the SLO
(99 % of all requests, latency from the due time), and offers more than that. Sides of a cell run at the same time, each
with a load generator of its own, so what else the machine does happens to all; overload is offered to one after another.

  --only TEXT        cells whose name contains it, e.g. 4+.3b-d4
  --sides A,B        of ${SIDES.map(({ name }) => name).join(', ')}; Triton's only where asked for
  --arrivals KIND    poisson (default) or burst
  --bound R          slow the curves down until the fluid bound is about R requests/s (default 300)
  --together N       sides at a time (default all)
  --seconds S        length of a run (default: 40 SLOs, 5 to 15 s)
  --overload LIST    multiples of the fluid bound offered at the end (default 2,5,10; - = none)
  --confirm N        runs at the goodput found, the middle one counts (default 0)
  --json FILE        write the figures; with --add, into those that are there
  --markdown FILE    write table and plots (SVG files beside it)`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    sides: { type: 'string', default: 'penstock,symphony,pull-drop,pull,aimd,window-0.1' },
    arrivals: { type: 'string', default: 'poisson' },
    bound: { type: 'string', default: '300' },
    together: { type: 'string', default: '99' },
    seconds: { type: 'string' },
    overload: { type: 'string', default: '2,5,10' },
    confirm: { type: 'string', default: '0' },
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

const MODEL = { name: 'timed', version: undefined };
const INPUTS = [{ name: 'x', datatype: 'FP32', shape: [-1, 16] }];
const CONNECTIONS = 512;
const SHARE = 0.99;
const PRECISION = 0.03;
/** The generator's own lateness beyond this share of the SLO makes a run the machine's, not the server's: it is repeated. */
const LATE_SHARE = 0.05;
const REPEATS = 2;
/** A part of the bound to begin the search with. */
const GUESSES = { penstock: 0.85, symphony: 0.8, 'pull-drop': 0.7, pull: 0.5, aimd: 0.4, 'window-0.1': 0.5 };

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

/** A side on a cell: its server, its generator, and runs of load on it. */
async function openSide(side, cell, folder) {
  const { sloMs } = cell.load;
  const seconds = options.seconds ? Number(options.seconds) : Math.min(15, Math.max(5, (40 * sloMs) / 1000));
  const server = await side.start(cell, folder, installed);
  const generator = startLoadGenerator();
  const target = targetOf('http', server.ports, MODEL.name);
  const random = randomSource(7);
  const requests = [
    requestBytes(
      target,
      MODEL,
      sampleInputs(
        INPUTS,
        new Map([
          [
            'x',
            [
              [1, 1],
              [16, 16],
            ],
          ],
        ]),
        'random',
        random,
      ),
      'binary',
    ),
  ];
  const run = async (perSecond, length = seconds) => {
    const load = {
      kind: 'open',
      arrivalsMs: times(perSecond, length * 1000, random),
      connections: CONNECTIONS,
      drainMs: 1000 + 4 * sloMs,
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

async function measureSide(side, opened, cell) {
  const bound = cell.boundPerSecond;
  // What a new process does not know yet: its curve, its compiled code.
  for (const share of [0.1, 0.3, 0.6]) await opened.run(bound * share, 2);
  const guess = bound * (GUESSES[side.name] ?? 0.4);
  const found = await searchGoodput(opened.run, {
    from: guess,
    to: bound * 1.1,
    share: SHARE,
    precision: PRECISION,
    tries: 2,
  });
  const confirmed = [];
  for (let i = 0; i < Number(options.confirm) && found.perSecond > 0; i++)
    confirmed.push(await opened.run(found.perSecond));
  return { name: side.name, goodputPerSecond: found.perSecond, points: found.points, confirmed };
}

async function measureCell(cell, folder) {
  const figures = [];
  const together = Number(options.together);
  for (let at = 0; at < sides.length; at += together) {
    const group = sides.slice(at, at + together);
    const opened = await Promise.all(group.map((side) => openSide(side, cell, folder)));
    try {
      const found = await Promise.all(group.map((side, i) => measureSide(side, opened[i], cell)));
      for (const [i, side] of group.entries()) {
        const overload = [];
        for (const multiple of options.overload === '-' ? [] : options.overload.split(',').map(Number)) {
          overload.push(await opened[i].run(cell.boundPerSecond * multiple, 4));
        }
        figures.push({ ...found.find(({ name }) => name === side.name), overload });
      }
    } finally {
      await Promise.all(opened.map((each) => each.close()));
    }
  }
  const { name, curve, scale, slo, load, boundPerSecond } = cell;
  return {
    name,
    curve,
    scale,
    slo,
    sloMs: load.sloMs,
    instances: load.instances,
    arrivals: options.arrivals,
    boundPerSecond,
    loadAfter: loadavg()[0],
    sides: figures,
  };
}

const cells = timedCells(Number(options.bound)).filter(({ name }) => name.includes(options.only));
const folder = mkdtempSync(join(tmpdir(), 'penstock-goodput-'));
try {
  if (cells.length === 0) throw new Error(`no cell is named like ${options.only}`);
  const head = resultHead('goodput within an SLO', ROOT, {
    onnxruntime: ortVersion(),
    ...(installed && { triton: '2.51 (nvidia-pytriton 0.7.0)' }),
  });
  const measured = [];
  for (const cell of cells) measured.push(await measureCell(cell, join(folder, cell.name)));
  const before = options.add ? JSON.parse(readFileSync(options.json, 'utf8')).cells : [];
  const result = { ...head, cells: merged(before, measured) };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result)}\n`);
  console.log(goodputReport(result, options.markdown));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** New figures of a cell's sides take the place of older ones. */
function merged(before, measured) {
  const cells = [...before];
  for (const cell of measured) {
    const at = cells.findIndex(
      ({ name, arrivals, scale }) => name === cell.name && arrivals === cell.arrivals && scale === cell.scale,
    );
    if (at < 0) cells.push(cell);
    else {
      const others = cells[at].sides.filter(({ name }) => !cell.sides.some((side) => side.name === name));
      cells[at] = { ...cell, sides: [...others, ...cell.sides] };
    }
  }
  return cells;
}
