/** NVIDIA's tritonserver, from the PyPI wheel nvidia-pytriton, in processes of its own. */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, isReady } from '../gateway-process.mjs';
import { treeCpuUs, treeMemoryBytes } from '../process-tree.mjs';
import { pythonVenv } from '../python-venv.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
/** Of one version with the gateway's ONNX Runtime, so that both run the same kernels. */
const PACKAGES = (onnxruntime) => ['nvidia-pytriton==0.7.0', `onnxruntime==${onnxruntime}`];
const READY_WITHIN_MS = 120_000;

/** Installs Triton where it is not; throws a sentence where that is not possible. `PYTRITON_VENV` names one that is there. */
export function installTriton(onnxruntimeVersion) {
  const venv = pythonVenv('pytriton', PACKAGES(onnxruntimeVersion), process.env.PYTRITON_VENV);
  const lib = join(venv, 'lib');
  const python = readdirSync(lib).find((name) => name.startsWith('python3.'));
  const packages = join(lib, python, 'site-packages');
  const server = join(packages, 'pytriton/tritonserver');
  return { venv, packages, server, stub: join(server, 'python_backend_stubs', python.slice('python'.length)) };
}

/**
 * Starts it on the models of `repository`, each served by `onnx_model.py`, or as they are where not `onnx`; the same shape as
 * `startGateway`.
 * CPU time and memory are those of the server and of the model processes that it starts.
 */
export async function startTriton(installed, repository, onnx = true) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-triton-'));
  const backend = join(folder, 'backends/python');
  cpSync(join(installed.server, 'backends/python'), backend, { recursive: true });
  for (const name of readdirSync(installed.stub)) {
    cpSync(join(installed.stub, name), join(backend, name));
    chmodSync(join(backend, name), 0o755);
  }
  const models = join(folder, 'models');
  cpSync(repository, models, { recursive: true });
  for (const model of onnx ? readdirSync(models) : []) {
    cpSync(join(HERE, 'onnx_model.py'), join(models, model, '1/model.py'));
    const config = join(models, model, 'config.pbtxt');
    writeFileSync(config, `backend: "python"\n${readFileSync(config, 'utf8')}`);
  }
  const [http, grpc, metrics] = await freePorts(3);
  const ports = Object.entries({ http, grpc, metrics }).flatMap(([name, port]) => [`--${name}-port`, String(port)]);
  const startedAt = performance.now();
  const child = spawn(
    join(installed.server, 'bin/tritonserver'),
    [
      ...['--model-repository', models, '--backend-directory', join(folder, 'backends')],
      ...['--http-address', '127.0.0.1', '--grpc-address', '127.0.0.1', ...ports],
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PATH: `${join(installed.venv, 'bin')}:${process.env.PATH}`,
        VIRTUAL_ENV: installed.venv,
        PYTHONPATH: installed.packages,
        LD_LIBRARY_PATH: join(installed.packages, 'nvidia_pytriton.libs'),
      },
    },
  );
  let log = '';
  child.stderr.on('data', (chunk) => {
    log = (log + chunk).slice(-20_000);
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.once('error', (error) => {
    log += error.message;
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true });
  };
  while (!(await isReady(http))) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() - startedAt > READY_WITHIN_MS) {
      await stop();
      throw new Error(`tritonserver did not get ready:\n${log.slice(-3000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    ports: { http, grpc },
    readyAfterMs: performance.now() - startedAt,
    memoryBytes: () => treeMemoryBytes(child.pid),
    cpuUs: () => treeCpuUs(child.pid),
    stop,
  };
}
