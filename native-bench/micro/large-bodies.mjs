// Large inputs: the gateway on the model `noop` (600 KB in, nothing computed) beside bare servers that only gather the body
// and answer: uWebSockets.js for HTTP, node:http2 for gRPC. All are loaded by turns in one run. Goal: 0.85 of the bare server.
// The load is wrk's and h2load's where they are installed, else our own, which costs the server's machine more.
//   node native-bench/micro/large-bodies.mjs [--rounds 5] [--ms 2000] [--concurrency 8] [--only http|grpc] [--model noop]
//     [--baseline DIST] [--gc]
// --baseline: another build beside this one. --gc: also garbage collections a 10,000 requests (they cost a little themselves).
import { fork } from 'node:child_process';
import http2 from 'node:http2';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startLoadGenerator } from '../../dist/cli/bench/load-generator.js';
import { median } from '../../dist/cli/bench/statistics.js';
import { loadUws } from '../../dist/serving/transport/uws/load-uws.js';
import { fastClients, h2loadRound, wrkRound } from '../fast-clients.mjs';
import { startGateway } from '../gateway-process.mjs';
import { requestsFor, targetOf } from '../requests.mjs';

if (process.argv[2] === 'stub') await serveStubs();
else await measureAll();

/** In the child: both bare servers. They gather a body in one buffer of its length, as short as it can be written. */
async function serveStubs() {
  const uws = loadUws();
  const app = uws.App();
  app.post('/*', (response, request) => {
    const body = Buffer.allocUnsafeSlow(Number(request.getHeader('content-length')));
    let at = 0;
    response.onAborted(() => {});
    response.onData((chunk, isLast) => {
      body.set(new Uint8Array(chunk), at);
      at += chunk.byteLength;
      if (isLast) response.cork(() => response.writeHeader('Content-Type', 'application/json').end('{}'));
    });
  });
  const http = await new Promise((listening) => {
    app.listen('127.0.0.1', 0, (socket) => listening(uws.us_socket_local_port(socket)));
  });
  const answer = Buffer.alloc(16);
  answer.writeUInt32BE(11, 1);
  const server = http2.createServer({ settings: { initialWindowSize: 1 << 20 } });
  server.on('session', (session) => session.setLocalWindowSize(1 << 20));
  server.on('stream', (stream) => {
    let body;
    let at = 0;
    stream.on('error', () => {});
    stream.on('data', (chunk) => {
      body ??= Buffer.allocUnsafeSlow(5 + chunk.readUInt32BE(1));
      chunk.copy(body, at);
      at += chunk.length;
      if (at < body.length) return;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(answer);
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ http, grpc: server.address().port });
}

async function startStubs() {
  const child = fork(fileURLToPath(import.meta.url), ['stub']);
  const next = () => new Promise((answered) => child.once('message', answered));
  const ports = await next();
  const cpuUs = () => {
    const answer = next();
    child.send('cpu');
    return answer;
  };
  return { name: 'bare', ports, cpuUs, stop: async () => child.disconnect() };
}

async function measureAll() {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      ms: { type: 'string', default: '2000' },
      concurrency: { type: 'string', default: '8' },
      only: { type: 'string', default: '' },
      model: { type: 'string', default: 'noop' },
      baseline: { type: 'string' },
      flags: { type: 'string', default: '' },
      gc: { type: 'boolean', default: false },
    },
  });
  const [rounds, ms, concurrency] = [options.rounds, options.ms, options.concurrency].map(Number);
  const env = options.gc ? { BENCH_GC: '1' } : {};
  const sides = [
    await startStubs(),
    { name: 'gateway', ...(await startGateway({ env, flags: options.flags.split(' ').filter(Boolean) })) },
  ];
  if (options.baseline !== undefined) {
    sides.push({ name: 'baseline', ...(await startGateway({ dist: join(resolve(options.baseline)), env })) });
  }
  const generator = startLoadGenerator();
  const clients = fastClients();
  console.log(
    `node ${process.version}, ${options.model}, ${concurrency} in flight, ${rounds} rounds of ${ms} ms by turns`,
  );
  try {
    for (const protocol of ['http', 'grpc']) {
      if (options.only !== '' && options.only !== protocol) continue;
      const tool = protocol === 'http' ? clients.wrk : clients.h2load;
      const load = loadOf(protocol, tool.missing === undefined, { generator, concurrency });
      console.log(`${protocol}, load by ${tool.version ?? 'our own client'}`);
      await compare(sides, protocol, options.model, load, { rounds, ms });
    }
  } finally {
    generator.end();
    for (const side of sides) await side.stop();
  }
}

function loadOf(protocol, fast, { generator, concurrency }) {
  if (fast && protocol === 'http') return (job, ms) => wrkRound(job, { connections: concurrency, ms });
  if (fast) return (job, ms) => h2loadRound(job, { connections: 1, streams: concurrency, ms });
  return async (job, ms) => {
    const result = await generator.run({ ...job, load: { kind: 'closed', concurrency, ms } });
    return { answers: result.answers, errors: result.errors, perSecond: result.answers / result.seconds };
  };
}

async function compare(sides, protocol, model, load, { rounds, ms }) {
  const jobs = sides.map(({ ports }) => {
    const target = targetOf(protocol, ports, model);
    return { target, requests: requestsFor(model, target) };
  });
  const seen = sides.map(() => []);
  for (const job of jobs) await load(job, 1000);
  for (let round = 0; round < rounds; round++) {
    const turns = sides.map((_, i) => i);
    for (const i of round % 2 === 0 ? turns : turns.reverse()) {
      const side = sides[i];
      const [cpuBefore, gcBefore] = [await side.cpuUs(), await side.collections?.()];
      const figures = await load(jobs[i], ms);
      const [cpuAfter, gcAfter] = [await side.cpuUs(), await side.collections?.()];
      if (figures.errors > 0) throw new Error(`${side.name}: ${figures.errors} errors`);
      const per10k = 10_000 / figures.answers;
      seen[i].push({
        perSecond: figures.perSecond,
        cpuUs: (cpuAfter - cpuBefore) / figures.answers,
        collections: ((gcAfter?.count ?? 0) - (gcBefore?.count ?? 0)) * per10k,
        collectionMs: ((gcAfter?.ms ?? 0) - (gcBefore?.ms ?? 0)) * per10k,
      });
    }
  }
  for (const [i, side] of sides.entries()) {
    const of = (key) => seen[i].map((figures) => figures[key]);
    const ratio = (key) => seen[i].map((figures, round) => figures[key] / seen[0][round][key]);
    const words = [
      `${side.name.padEnd(9)} ${median(of('perSecond')).toFixed(0).padStart(6)}/s`,
      `${median(of('cpuUs')).toFixed(1).padStart(7)} us of CPU a request`,
    ];
    if (i > 0) {
      words.push(`rate ${spread(ratio('perSecond'))} of bare`);
      words.push(`work ${spread(ratio('cpuUs').map((value) => 1 / value))}`);
      if (side.collections !== undefined && median(of('collections')) > 0)
        words.push(
          `${median(of('collections')).toFixed(0)} collections, ${median(of('collectionMs')).toFixed(0)} ms of them a 10,000`,
        );
    }
    console.log(`  ${words.join(', ')}`);
  }
}

function spread(values) {
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
}
