#!/usr/bin/env node
/**
 * Penstock and NVIDIA's Triton under the same load, by turns, in one run on one machine: ratios with their range.
 *
 *   npm run bench:triton [-- --rounds 3] [--ms 2000] [--only TEXT] [--client fast|own] [--json FILE] [--markdown FILE]
 *
 * Triton comes from the PyPI wheel nvidia-pytriton, installed on first use; it serves the models by onnxruntime in its Python
 * backend, which is slower than its own ONNX Runtime backend: the report says by how much, and gives both ratios.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { fastClients, h2loadRound, wrkRound } from './fast-clients.mjs';
import { startGateway } from './gateway-process.mjs';
import { requestsFor, targetOf } from './requests.mjs';
import { tritonReport } from './triton/triton-report.mjs';
import { installTriton, startTriton } from './triton/triton-server.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..');
const WARM_UP_MS = 1000;
const MODELS = ['mlp', 'cnn'];
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    ms: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
    client: { type: 'string', default: 'fast' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(`usage: npm run bench:triton -- [options]
Penstock and NVIDIA's Triton (PyPI nvidia-pytriton, installed on first use; PYTRITON_VENV names one that is there) under the same load.

  --rounds N          of each load, by turns; default 3
  --ms MS             of a round; default 2000
  --only TEXT         loads whose name contains the text, say mlp-http-c8 or cnn
  --client fast|own   wrk and h2load where they are installed (default), or the client of penstock bench
  --json FILE, --markdown FILE   write the figures, the report`);
  process.exit(0);
}
const rounds = Number(options.rounds);
const ms = Number(options.ms);

/** A gRPC load is `streams` calls in flight on each of `connections`. */
const LOADS = [
  ...[1, 8, 32].map((c) => ({ name: `mlp-http-c${c}`, model: 'mlp', protocol: 'http', connections: c, streams: 1 })),
  ...[1, 8, 32].map((c) => ({ name: `mlp-grpc-1x${c}`, model: 'mlp', protocol: 'grpc', connections: 1, streams: c })),
  ...[8, 32].map((c) => ({ name: `mlp-grpc-${c}x1`, model: 'mlp', protocol: 'grpc', connections: c, streams: 1 })),
  ...[1, 8, 32].map((c) => ({ name: `cnn-http-c${c}`, model: 'cnn', protocol: 'http', connections: c, streams: 1 })),
].filter(({ name }) => name.includes(options.only));

const found = fastClients();
const version = JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8')).version;
const generator = startLoadGenerator();

/** The client of a protocol, and what it is called. */
function clientOf(protocol) {
  const tool = protocol === 'http' ? found.wrk : found.h2load;
  if (options.client === 'fast' && tool.version !== undefined)
    return { name: tool.version, round: protocol === 'http' ? wrkRound : h2loadRound };
  const why = options.client === 'fast' ? `${tool.missing} is not here` : 'asked for';
  return {
    name: `the bench's own in JavaScript (${why}), 8 gRPC calls a connection: at these rates it is the limit, not the servers`,
    round: async (job, load) => {
      const closed = { kind: 'closed', concurrency: load.connections * load.streams, ms: load.ms };
      return (await measureRound(generator, { ...job, load: closed }, () => undefined)).figures;
    },
  };
}

const clients = { http: clientOf('http'), grpc: clientOf('grpc') };

async function oneRound(server, { name, model, protocol, connections, streams }, length) {
  const target = targetOf(protocol, server.ports, model);
  const requests = requestsFor(model, target);
  const before = await server.cpuUs();
  const figures = await clients[protocol].round({ target, requests }, { connections, streams, ms: length });
  const cpuUsPerRequest = ((await server.cpuUs()) - before) / figures.answers;
  if (figures.errors > 0) throw new Error(`${name}: ${figures.errors} errors; nothing is compared`);
  return { ...figures, cpuUsPerRequest };
}

/** Starts each server anew on the MLP alone, by turns. */
async function startUps(starters, repository) {
  const seen = starters.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [side, start] of starters.entries()) {
      const server = await start(repository);
      seen[side].push({ readyAfterMs: server.readyAfterMs, memoryBytes: server.memoryBytes() });
      await server.stop();
    }
  }
  return seen.map((starts) => ({
    readyAfterMs: median(starts.map(({ readyAfterMs }) => readyAfterMs)),
    memoryBytes: median(starts.map(({ memoryBytes }) => memoryBytes)),
  }));
}

function repositoryOf(folder, name, models) {
  for (const model of models) cpSync(join(HERE, 'models', model), join(folder, name, model), { recursive: true });
  return join(folder, name);
}

const folder = mkdtempSync(join(tmpdir(), 'penstock-triton-bench-'));
const servers = [];
try {
  const installed = installTriton(version);
  const head = resultHead('Penstock and Triton by turns', ROOT, {
    onnxruntime: version,
    triton: '2.51 (nvidia-pytriton 0.7.0)',
  });
  const starters = [(repository) => startGateway({ repository }), (repository) => startTriton(installed, repository)];
  const [startPenstock, startTritonUp] = await startUps(starters, repositoryOf(folder, 'one', ['mlp']));
  const repository = repositoryOf(folder, 'both', MODELS);
  for (const start of starters) servers.push(await start(repository));
  const compared = [];
  for (const load of LOADS) {
    const seen = servers.map(() => []);
    for (const server of servers) await oneRound(server, load, WARM_UP_MS);
    for (let round = 0; round < rounds; round++) {
      // A B, B A, ..: what the machine does meanwhile happens to both.
      const order = [...servers.keys()];
      for (const side of round % 2 === 0 ? order : order.reverse())
        seen[side].push(await oneRound(servers[side], load, ms));
    }
    compared.push({ ...load, penstock: seen[0], triton: seen[1] });
    console.error(
      `${load.name}: ${seen.map((each) => Math.round(median(each.map(({ perSecond }) => perSecond)))).join(' against ')} requests/s`,
    );
  }
  const result = {
    ...head,
    clients: { http: clients.http.name, grpc: clients.grpc.name },
    rounds,
    ms,
    loads: compared,
    startUp: { penstock: startPenstock, triton: startTritonUp },
    loadAfter: loadavg()[0],
  };
  const report = tritonReport(result);
  console.log(report);
  if (options.markdown !== undefined) writeFileSync(options.markdown, report);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result)}\n`);
  if (LOADS.length === 0) throw new Error(`no load is named like ${options.only}`);
} catch (thrown) {
  console.error(thrown.message);
  process.exitCode = 1;
} finally {
  generator.end();
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true });
}
