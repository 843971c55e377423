#!/usr/bin/env node
// The launcher: CommonJS, and in the words of old Nodes, because what it does must come before anything else loads: refuse
// where Penstock cannot run, and set what native libraries read from the environment once, when they are loaded.
const path = require('node:path') as typeof import('node:path');
const url = require('node:url') as typeof import('node:url');

const LOWEST_NODE = [20, 20];
const SUPPORTED = 'Penstock runs on Node 20.20 or newer, on Linux with glibc (x64, arm64) and on macOS (arm64)';

function refusal(): string | undefined {
  const numbers = process.versions.node.split('.').map(Number);
  const major = numbers[0] as number;
  const minor = numbers[1] as number;
  if (major < (LOWEST_NODE[0] as number) || (major === LOWEST_NODE[0] && minor < (LOWEST_NODE[1] as number)))
    return `this is Node ${process.versions.node}`;
  const machine = `${process.platform} ${process.arch}`;
  if (['linux x64', 'linux arm64', 'darwin arm64'].indexOf(machine) < 0) return `this is ${machine}`;
  const report = process.report
    ? (process.report.getReport() as { header?: { glibcVersionRuntime?: string } })
    : undefined;
  const glibc = report?.header?.glibcVersionRuntime;
  if (process.platform === 'linux' && !glibc) return 'the C library of this system is not glibc (musl?)';
  return undefined;
}

const why = refusal();
if (why !== undefined) {
  process.stderr.write(`penstock: ${SUPPORTED}; ${why}\n`);
  process.exitCode = 1;
} else {
  // Runs of models are carried by libuv's pool, which is fixed in size from its first use and shared with files and zlib.
  if (!process.env.UV_THREADPOOL_SIZE) {
    // Required, not imported: an import reads its file on that very pool.
    const machine = require('../machine/index.js') as { usableCores(): number; poolThreads(cores: number): number };
    process.env.UV_THREADPOOL_SIZE = String(machine.poolThreads(machine.usableCores()));
  }
  // uWebSockets.js refuses headers above 4 KiB by itself: less than a token beside tracing takes.
  if (!process.env.UWS_HTTP_MAX_HEADERS_SIZE) process.env.UWS_HTTP_MAX_HEADERS_SIZE = '65536';
  // ONNX Runtime otherwise keeps a database of events under the home folder, and a thread to send them.
  if (!process.env.ORT_DISABLE_TELEMETRY) process.env.ORT_DISABLE_TELEMETRY = '1';
  // The program and not a door: nothing is imported from it.
  void import(url.pathToFileURL(path.join(__dirname, '..', 'app', 'main.js')).href);
}
