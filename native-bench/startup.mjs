#!/usr/bin/env node
/**
 * What starting costs: time from the start of the process until it serves, and its memory at rest, with one small model
 * and with ten, on a warm cache of compiled models. Medians of starts by turns.
 *
 *   node native-bench/startup.mjs [--rounds 7] [--model FILE.onnx] [--json]
 *
 * `resident` = memory as /proc counts it; `anonymous` = the part of it that no file backs.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    model: { type: 'string', default: join(ROOT, 'test/fixtures/models/mlp.onnx') },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
/** Time for what follows a start (warm-ups of pools, a first collection) to end before memory is read. */
const REST_MS = 1500;

const folder = mkdtempSync(join(tmpdir(), 'penstock-startup-'));
const figures = { one: [], ten: [] };
try {
  const repositories = { one: repository('one', 1), ten: repository('ten', 10) };
  for (const path of Object.values(repositories)) await start(path); // Fills the cache.
  for (let round = 0; round < rounds; round++) {
    for (const name of ['one', 'ten']) figures[name].push(await start(repositories[name]));
  }
} finally {
  rmSync(folder, { recursive: true });
}

const result = {
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  rounds,
  oneModel: medians(figures.one),
  tenModels: medians(figures.ten),
};
if (options.json) console.log(JSON.stringify(result, undefined, 2));
else {
  for (const [name, { readyMs, slowestMs, residentMb, anonymousMb }] of [
    ['one model', result.oneModel],
    ['ten models', result.tenModels],
  ]) {
    console.log(
      `${name.padEnd(10)}  ready ${readyMs.toFixed(0)} ms (slowest ${slowestMs.toFixed(0)})` +
        `  resident ${residentMb.toFixed(0)} MB  anonymous ${anonymousMb.toFixed(0)} MB`,
    );
  }
}

function repository(name, models) {
  const path = join(folder, name);
  for (let i = 0; i < models; i++) {
    mkdirSync(join(path, `model_${i}`, '1'), { recursive: true });
    copyFileSync(options.model, join(path, `model_${i}`, '1', 'model.onnx'));
  }
  return path;
}

async function start(path) {
  const ports = ['http', 'grpc', 'metrics'].flatMap((name) => [`--${name}-port`, '0']);
  const args = [
    join(ROOT, 'dist/cli/penstock.cjs'),
    'serve',
    path,
    '--model-cache-dir',
    join(folder, 'cache'),
    ...ports,
  ];
  const started = performance.now();
  const server = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complaint = '';
  server.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const ready = new Promise((resolve) => {
    server.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('is serving')) resolve(true);
    });
  });
  try {
    const serves = await Promise.race([ready, ended.then(() => false)]);
    const readyMs = performance.now() - started;
    if (!serves || said.includes('UNAVAILABLE')) throw new Error(`the gateway did not start:\n${said}${complaint}`);
    await wait(REST_MS);
    return { readyMs, ...memory(server.pid) };
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

function memory(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) / 1024;
  return { residentMb: of('VmRSS'), anonymousMb: of('RssAnon') };
}

function medians(runs) {
  const sorted = (name) => runs.map((run) => run[name]).sort((a, b) => a - b);
  const median = (name) => sorted(name)[Math.floor(runs.length / 2)];
  return {
    readyMs: median('readyMs'),
    slowestMs: sorted('readyMs').at(-1),
    residentMb: median('residentMb'),
    anonymousMb: median('anonymousMb'),
  };
}
