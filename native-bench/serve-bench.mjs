#!/usr/bin/env node
/**
 * The first bench: a small MLP and a CNN through a running gateway, over HTTP (binary tensors) and gRPC, at concurrency 1,
 * 8 and 32, as a ratio to bare onnxruntime in one thread, both measured by turns in one run on the same machine.
 *
 *   npm run bench                     all scenarios, 5 rounds
 *   npm run bench -- --quick          fewer and shorter rounds; fails below the floors of `bench-floors.json`
 *   npm run bench -- --json out.json  also writes the figures, with machine, versions and date
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..');
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'string' },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    only: { type: 'string' },
    client: { type: 'string', default: 'own' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(
    'usage: npm run bench -- [--quick] [--rounds N] [--ms MS] [--only TEXT] [--client own|autocannon] [--json FILE]',
  );
  process.exit(0);
}
const ROUNDS = Number(options.rounds ?? (options.quick ? 3 : 5));
const MS = Number(options.ms ?? (options.quick ? 700 : 1500));
const MODELS = { mlp: { shape: [64], floorBatch: 32 }, cnn: { shape: [3, 96, 96], floorBatch: 4 } };
const SCENARIOS = Object.keys(MODELS)
  .flatMap((model) =>
    ['http', 'grpc'].flatMap((protocol) =>
      [1, 8, 32].map((connections) => ({ model, protocol, connections, name: `${model}-${protocol}-c${connections}` })),
    ),
  )
  .filter((s) => s.name.includes(options.only ?? ''));

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A child that answers one JSON line to each JSON line. */
function jsonChild(file) {
  const child = spawn(process.execPath, [join(HERE, file)], { stdio: ['pipe', 'pipe', 'inherit'], cwd: ROOT });
  const lines = createInterface({ input: child.stdout });
  const waiting = [];
  lines.on('line', (line) => waiting.shift()?.(JSON.parse(line)));
  child.on('exit', () => {
    for (const settle of waiting) settle({ failed: `${file} ended` });
  });
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        waiting.push((answer) => (answer.failed ? reject(new Error(answer.failed)) : resolve(answer)));
        child.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    end: () => child.stdin.end(),
  };
}

async function startGateway() {
  const [http, grpc, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
  const flags = ['serve', join(HERE, 'models'), '--http-port', http, '--grpc-port', grpc, '--metrics-port', metrics];
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/penstock.cjs'), ...flags.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`http://127.0.0.1:${http}/v2/health/ready`).then(
      (r) => r.ok,
      () => false,
    );
    if (ready) break;
    if (child.exitCode !== null || tries > 600) throw new Error(`the gateway did not get ready:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    http,
    grpc,
    async stop() {
      child.kill('SIGTERM');
      return await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

const floor = jsonChild('bare-floor.mjs');
const load = jsonChild('load-child.mjs');
const gateway = await startGateway();
const results = [];
try {
  for (const scenario of SCENARIOS) {
    const { shape, floorBatch } = MODELS[scenario.model];
    const model = join(HERE, 'models', scenario.model, '1/model.onnx');
    const { model: name, protocol, connections } = scenario;
    const run = () =>
      load.ask({ client: options.client, protocol, port: gateway[protocol], model: name, shape, connections, ms: MS });
    await load.ask({
      client: options.client,
      protocol,
      port: gateway[protocol],
      model: name,
      shape,
      connections,
      ms: MS / 2,
    });
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const bare1 = (await floor.ask({ model, shape, batch: 1, ms: MS / 2 })).itemsPerSecond;
      const bareN = (await floor.ask({ model, shape, batch: floorBatch, ms: MS / 2 })).itemsPerSecond;
      const served = await run();
      rounds.push({
        bare1,
        bareN,
        ...served,
        ratio: served.perSecond / bare1,
        ratioBest: served.perSecond / Math.max(bare1, bareN),
      });
    }
    const pick = (key) => median(rounds.map((r) => r[key]));
    const ratios = rounds.map((r) => r.ratio);
    const row = {
      scenario: scenario.name,
      requestsPerSecond: Math.round(pick('perSecond')),
      p50Us: Math.round(pick('p50Us')),
      p99Us: Math.round(pick('p99Us')),
      bareBatch1PerSecond: Math.round(pick('bare1')),
      ratioToBareBatch1: Number(pick('ratio').toFixed(3)),
      ratioToBareBest: Number(pick('ratioBest').toFixed(3)),
      spread: Number(((Math.max(...ratios) - Math.min(...ratios)) / pick('ratio')).toFixed(3)),
      errors: rounds.reduce((sum, r) => sum + r.errors, 0),
    };
    results.push(row);
    console.log(
      `${row.scenario.padEnd(14)} ${String(row.requestsPerSecond).padStart(7)} requests/s  p50 ${String(row.p50Us).padStart(6)} us  p99 ${String(row.p99Us).padStart(7)} us  ` +
        `${row.ratioToBareBatch1.toFixed(2).padStart(5)} of bare batch 1, ${row.ratioToBareBest.toFixed(2)} of its best (spread ${(row.spread * 100).toFixed(0)} %)${row.errors ? `  ${row.errors} ERRORS` : ''}`,
    );
  }
} finally {
  floor.end();
  load.end();
  const code = await gateway.stop();
  if (code !== 0) {
    console.error(`the gateway ended with ${code}`);
    process.exitCode = 1;
  }
}

const versions = {
  node: process.version,
  onnxruntime: JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8')).version,
};
if (options.json) {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length };
  writeFileSync(
    options.json,
    `${JSON.stringify({ date: new Date().toISOString(), machine, versions, rounds: ROUNDS, ms: MS, results }, null, 2)}\n`,
  );
}
if (results.some((row) => row.errors > 0)) process.exitCode = 1;
if (options.quick) {
  const floors = JSON.parse(readFileSync(join(HERE, 'bench-floors.json'), 'utf8'));
  const below = results.filter((row) => row.ratioToBareBatch1 < (floors[row.scenario] ?? 0));
  for (const row of below)
    console.error(`${row.scenario}: ratio ${row.ratioToBareBatch1} is below its floor ${floors[row.scenario]}`);
  if (below.length > 0) process.exitCode = 1;
}
