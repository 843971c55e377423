import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { loadServerConfig } from '../config/index.js';
import { usableCores } from '../machine/index.js';
import { cudaPresence } from '../serving/backend/index.js';
import { ingressThreads } from '../serving/ingress/index.js';
import { EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { textTable } from './text-table.js';

/** One thing looked at. `warn`: serving works, with less. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
}

const LITTLE_MEMORY_BYTES = 512 * 1024 * 1024;

/** `penstock doctor`: whether this machine can serve, and what is missing. Fails where it cannot. */
export async function doctor(options: { readonly json: boolean }, io: CliIo): Promise<number> {
  const runtime = loadCheck('ONNX Runtime (native engine)', () => {
    const { version, path } = io.machine.loadOnnxRuntime();
    return { detail: version, path };
  });
  const checks: Check[] = [
    { name: 'Node', status: 'ok', detail: process.versions.node },
    platformCheck(),
    loadCheck('HTTP library', () => ({ detail: io.machine.loadHttp() })).check,
    runtime.check,
    bindingCheck(),
    ...gpuChecks(runtime.path),
    {
      name: 'cores',
      status: 'ok',
      detail: `${availableParallelism()}, pool threads ${io.env.UV_THREADPOOL_SIZE ?? '4 (start with the penstock command to have more)'}`,
    },
    {
      name: 'ingress threads',
      status: 'ok',
      detail: `${ingressThreads('auto', usableCores(), process.platform)} by default; --ingress-threads`,
    },
    memoryCheck(),
    ...(await portChecks()),
  ];
  const able = checks.every((check) => check.status !== 'fail');
  if (options.json) io.stdout.write(`${JSON.stringify({ able, checks })}\n`);
  else {
    io.stdout.write(
      textTable(
        ['CHECK', '', 'DETAIL'],
        checks.map((check) => [check.name, check.status, check.detail]),
      ),
    );
    io.stdout.write(able ? 'this machine can serve\n' : 'this machine cannot serve until what failed is mended\n');
  }
  return able ? EXIT_CODES.done : EXIT_CODES.failed;
}

function platformCheck(): Check {
  const machine = `${process.platform} ${process.arch}`;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const glibc = report?.header?.glibcVersionRuntime;
  const known =
    ['linux x64', 'linux arm64', 'darwin arm64'].includes(machine) &&
    (process.platform !== 'linux' || glibc !== undefined);
  const detail =
    process.platform === 'linux' ? `${machine}, ${glibc === undefined ? 'no glibc' : `glibc ${glibc}`}` : machine;
  return known
    ? { name: 'platform', status: 'ok', detail }
    : {
        name: 'platform',
        status: 'fail',
        detail: `${detail}; Linux with glibc (x64, arm64) or macOS (arm64) is needed`,
      };
}

function loadCheck(
  name: string,
  load: () => { readonly detail: string; readonly path?: string },
): { readonly check: Check; readonly path: string | undefined } {
  try {
    const { detail, path } = load();
    return { check: { name, status: 'ok', detail }, path };
  } catch (thrown) {
    return { check: { name, status: 'fail', detail: (thrown as Error).message }, path: undefined };
  }
}

/** The binding is the second engine: its files only, as loading it here would load a second ONNX Runtime. */
function bindingCheck(): Check {
  const name = 'onnxruntime-node (engine node)';
  try {
    const found = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
    const file = join(dirname(found), 'bin', 'napi-v6', process.platform, process.arch, 'onnxruntime_binding.node');
    return existsSync(file)
      ? { name, status: 'ok', detail: 'installed' }
      : { name, status: 'warn', detail: 'has no binding for this machine' };
  } catch {
    return { name, status: 'warn', detail: 'not installed; run npm ci' };
  }
}

function gpuChecks(runtimePath: string | undefined): Check[] {
  const { driverMark: driver, missingFiles: missing } = cudaPresence(runtimePath);
  const files =
    missing.length === 0 ? 'CUDA provider files are there' : `${missing.join(' and ')} missing beside ONNX Runtime`;
  if (driver === undefined)
    return [{ name: 'GPU', status: 'ok', detail: `none (no NVIDIA driver); ${files}; models run on the CPU` }];
  return [
    { name: 'GPU driver', status: 'ok', detail: driver },
    {
      name: 'CUDA provider',
      status: missing.length === 0 ? 'ok' : 'warn',
      detail: missing.length === 0 ? files : `${files}; models run on the CPU until they are`,
    },
  ];
}

function memoryCheck(): Check {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const free = freemem();
  return {
    name: 'memory',
    status: free < LITTLE_MEMORY_BYTES ? 'warn' : 'ok',
    detail: `${gib(free)} free of ${gib(totalmem())}`,
  };
}

async function portChecks(): Promise<Check[]> {
  const { http, grpc, metrics } = loadServerConfig();
  return Promise.all(
    Object.entries({ HTTP: [http, 'http'], gRPC: [grpc, 'grpc'], metrics: [metrics, 'metrics'] } as const).map(
      async ([label, [{ address, port }, flag]]): Promise<Check> => {
        const fault = await portFault(address, port);
        const name = `port ${port} (${label})`;
        return fault === undefined
          ? { name, status: 'ok', detail: 'free' }
          : { name, status: 'warn', detail: `${fault}; choose another with --${flag}-port` };
      },
    ),
  );
}

/** Why nothing can listen there, or undefined. */
function portFault(address: string, port: number): Promise<string | undefined> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code === 'EADDRINUSE' ? 'taken' : String(error.code)),
    );
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => settle(undefined)));
  });
}
