/**
 * Clients written in C, which leave more of a shared machine to the server than one in JavaScript can: wrk for HTTP, h2load for gRPC.
 * `fastClients()` says which are here; each takes one round of a closed loop and gives figures as `measureRound` does.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LatencyHistogram } from '../dist/cli/bench/latency-histogram.js';

const run = promisify(execFile);
const GRPC_HEADERS = ['content-type: application/grpc', 'te: trailers'].flatMap((line) => ['-H', line]);
const INFER = '/inference.GRPCInferenceService/ModelInfer';

export function fastClients() {
  const here = (program, package_) => {
    const { error, stdout, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    if (error) return { missing: `${program} (Debian: ${package_})` };
    return {
      version: `${stdout}${stderr}`
        .split(/\n| Copyright/)[0]
        .replace(/\[.*/, '')
        .trim(),
    };
  };
  return { wrk: here('wrk', 'wrk'), h2load: here('h2load', 'nghttp2-client') };
}

/** One round of wrk: `connections` with one request in flight each; all of `requests` by turns. */
export async function wrkRound({ target, requests }, { connections, ms }) {
  const files = Object.fromEntries(requests.map((request, i) => [`request-${i}`, request]));
  return await inFolder({ ...files, 'load.lua': wrkScript(requests.length) }, async (folder) => {
    const url = `http://${target.host}:${target.port}/`;
    const words = ['-t1', `-c${connections}`, `-d${Math.ceil(ms / 1000)}`, '-s', 'load.lua', url];
    const { stdout } = await run('wrk', words, { cwd: folder });
    const seen = JSON.parse(/^FIGURES (.*)$/m.exec(stdout)[1]);
    return { ...seen, perSecond: (seen.answers * 1e6) / seen.tookUs };
  });
}

/** Errors are answers other than 200 and connections that failed; latencies in microseconds. */
function wrkScript(count) {
  return `local requests, turn = {}, 0
for i = 0, ${count - 1} do
  local file = io.open("request-" .. i, "rb")
  requests[i] = file:read("*a")
  file:close()
end
function request()
  turn = (turn + 1) % ${count}
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('FIGURES {"answers": %d, "errors": %d, "tookUs": %d, "p50Us": %d, "p90Us": %d, "p99Us": %d, "maxUs": %d}\\n',
    summary.requests - e.status, errors, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
`;
}

/** One round of h2load: `streams` calls in flight on each of `connections`. */
export async function h2loadRound({ target, requests }, { connections, streams, ms }) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(requests[0].length, 1);
  return await inFolder({ frame: Buffer.concat([head, requests[0]]) }, async (folder) => {
    const load = [
      '-t1',
      `-c${connections}`,
      `-m${streams}`,
      `-D${Math.ceil(ms / 1000)}`,
      '--log-file=log',
      '-d',
      'frame',
    ];
    const url = `http://${target.host}:${target.port}${INFER}`;
    const { stdout } = await run('h2load', [...load, ...GRPC_HEADERS, url], { cwd: folder });
    return h2loadFigures(stdout, readFileSync(join(folder, 'log'), 'utf8'));
  });
}

/** A gRPC error is an answer with status 200 and no message: bytes of messages tell. */
function h2loadFigures(report, log) {
  const number = (pattern) => Number(pattern.exec(report)?.[1] ?? Number.NaN);
  const latency = new LatencyHistogram();
  for (const line of log.split('\n')) {
    const [, status, us] = line.split('\t');
    if (status === '200') latency.record(Number(us));
  }
  const perSecond = number(/finished in [\d.]+m?s, ([\d.]+) req\/s/);
  const answers = number(/status codes: (\d+) 2xx/);
  const failed = number(/(\d+) failed, \d+ errored/);
  const messageBytes = number(/\((\d+)\) data/);
  return {
    answers,
    errors: failed + (messageBytes < answers * 10 ? answers : 0),
    perSecond,
    p50Us: latency.quantileUs(0.5),
    p90Us: latency.quantileUs(0.9),
    p99Us: latency.quantileUs(0.99),
    maxUs: latency.maxUs,
  };
}

async function inFolder(files, use) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-load-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
