/** A gateway in a process of its own, on free ports, as the bench starts it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { residentBytes } from '../dist/cli/bench/process-cpu.js';
import { treeMemoryBytes } from './process-tree.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));

/**
 * Starts `dist` (a build: the folder that holds `cli/penstock.cjs`) on `repository`; resolves when it is ready.
 * `flags` are more options of `penstock serve`, `preload` modules for `node --import`, `nodeFlags` more of its options, `env` additions to the environment, `under` a program
 * and its options that runs node (valgrind).
 */
export async function startGateway({
  dist = join(HERE, '../dist'),
  repository = join(HERE, 'models'),
  flags = [],
  preload = [],
  env = {},
  nodeFlags = [],
  under = [],
  readyWithinMs = 60_000,
}) {
  const [http, grpc, metrics] = await freePorts(3);
  const imports = [join(HERE, 'cpu-probe.mjs'), ...preload].flatMap((file) => ['--import', file]);
  const ports = ['--http-port', http, '--grpc-port', grpc, '--metrics-port', metrics].map(String);
  const startedAt = performance.now();
  const [program, ...words] = [
    ...under,
    process.execPath,
    ...nodeFlags,
    ...imports,
    join(dist, 'cli/penstock.cjs'),
    'serve',
    repository,
    ...ports,
    ...flags,
  ];
  // Two gateways of one repository share no state.
  const state = mkdtempSync(join(tmpdir(), 'penstock-bench-state-'));
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, XDG_STATE_HOME: state, ...env },
  });
  child.once('exit', () => rmSync(state, { recursive: true, force: true }));
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  const waiting = [];
  child.on('message', (answer) => waiting.shift()?.(answer));
  child.on('exit', () => {
    for (const settle of waiting) settle(undefined);
  });
  while (!(await isReady(http))) {
    if (child.exitCode !== null || performance.now() - startedAt > readyWithinMs) {
      child.kill('SIGKILL');
      throw new Error(`the gateway did not get ready:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const ask = (question) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      child.send(question, (error) => error && resolve(undefined));
    });
  return {
    ports: { http, ws: http, grpc },
    readyAfterMs: performance.now() - startedAt,
    residentBytes: () => residentBytes(child.pid),
    memoryBytes: () => treeMemoryBytes(child.pid),
    /** CPU time that the process has used, in microseconds. */
    cpuUs: () => ask('cpu'),
    /** Its garbage collections so far, `{ count, ms }`; counted where it was started with `BENCH_GC=1`. */
    collections: () => ask('gc'),
    /** What `work-probe.mjs` counted until now, in all threads; where that is preloaded. */
    work: () => ask('work'),
    /** Makes what its main thread holds now old (a full collection); where that is preloaded and `--expose-gc` is given. */
    age: () => ask('age'),
    pid: child.pid,
    /** To a preloaded module that listens. */
    send: (message) => child.send(message),
    /** Drains it; resolves to its exit code. */
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      return child.exitCode ?? (await ended);
    },
  };
}

/** Whether a V2 server on this port says that it is ready. */
export function isReady(port) {
  return fetch(`http://127.0.0.1:${port}/v2/health/ready`).then(
    (reply) => reply.ok,
    () => false,
  );
}

/** Ports that nothing listens on. */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
