import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Backend, Clock, Log } from '../../core/index.js';
import { cudaPresence, onnxNativeBackend } from '../../serving/backend/index.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { CNN_MODEL, MLP_MODEL } from './embedded-models.js';
import { type ExaminedModel, examine } from './examine.js';
import { findGpus, type Gpu, oldDriver, UNKNOWN_GPU, whyUnable } from './gpu-machine.js';
import { type GpuReport, type ModelFindings, reportText } from './report.js';
import { DEFAULT_EFFORT } from './speed.js';
import { Telemeter } from './telemetry.js';

export interface GpuCheckOptions {
  readonly json: boolean;
  /** File that the report is also written to, as JSON. */
  readonly out: string | undefined;
  readonly deviceId: number;
  /** Threads of one execution on the CPU; 0 = all cores. */
  readonly cpuThreads: number;
}

/**
 * `penstock gpu-check`: proves that CUDA runs models here, with the answers of the CPU, and says how fast beside it. Where
 * it cannot be made at all (no GPU, no provider files) it says why in one line and ends with a code of its own.
 */
export async function gpuCheck(options: GpuCheckOptions, io: CliIo): Promise<number> {
  const library = io.machine.loadOnnxRuntime();
  const gpus = await findGpus();
  const unable = whyUnable({
    machine: `${process.platform} ${process.arch}`,
    gpus,
    missingFiles: cudaPresence(library.path).missingFiles,
    folder: dirname(library.path),
    ortVersion: library.version,
  });
  if (unable !== undefined) {
    if (options.json) io.stdout.write(`${JSON.stringify({ format: 1, ok: false, unable })}\n`);
    else io.stderr.write(`penstock: gpu-check cannot run: ${unable}\n`);
    return EXIT_CODES.noGpu;
  }
  // A number that no GPU has is told by CUDA itself.
  const gpu: Gpu = gpus[options.deviceId] ?? UNKNOWN_GPU;
  const telemeter = await Telemeter.open({
    clock: MEASURING_CLOCK,
    log: toStderr(io),
    deviceId: options.deviceId,
    visibleDevices: io.env.CUDA_VISIBLE_DEVICES,
  });
  const findings = await examineAll(options, io);
  const telemetry = telemeter.end();
  const problems = [...findings.flatMap((found) => found.problems), ...telemetry.problems];
  const driver = oldDriver(gpu);
  if (problems.length > 0 && driver !== undefined) problems.push(driver);
  if (findings.some(({ model }) => model.providers === undefined))
    problems.push('deploy/GPU.md says which CUDA and cuDNN libraries are needed, and how they are found');
  const report: GpuReport = {
    format: 1,
    date: new Date().toISOString(),
    ok: problems.length === 0,
    problems,
    versions: { penstock: io.version, node: process.versions.node, onnxRuntime: library.version },
    gpu: { ...gpu, deviceId: options.deviceId },
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      intraOpThreads: options.cpuThreads,
    },
    models: findings.map(({ model }) => model),
    telemetry,
  };
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  if (options.out !== undefined) await writeFile(resolve(io.cwd, options.out), json);
  io.stdout.write(options.json ? json : reportText(report));
  return report.ok ? EXIT_CODES.done : EXIT_CODES.failed;
}

async function examineAll(
  options: GpuCheckOptions,
  io: CliIo,
): Promise<{ readonly model: ModelFindings; readonly problems: string[] }[]> {
  const backend: Backend = onnxNativeBackend({ log: toStderr(io), clock: MEASURING_CLOCK });
  const folder = await mkdtemp(join(tmpdir(), 'penstock-gpu-check-'));
  try {
    const found = [];
    for (const [name, text] of Object.entries({ mlp: MLP_MODEL, cnn: CNN_MODEL })) {
      const path = join(folder, `${name}.onnx`);
      await writeFile(path, Buffer.from(text, 'base64'));
      const model: ExaminedModel = { name, path, inputName: 'x' };
      io.stderr.write(`examining ${name} ...\n`);
      found.push(await examine(model, backend, options, DEFAULT_EFFORT));
      // CUDA does not open here: no other model will change that.
      if (found.at(-1)?.model.providers === undefined) break;
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lanes read the time only. */
const MEASURING_CLOCK: Clock = {
  nowNs: () => performance.now() * 1e6,
  wallMs: () => Date.now(),
  setTimer: (atNs, fire) => {
    const timer = setTimeout(fire, Math.max(0, atNs / 1e6 - performance.now()));
    timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};

function toStderr(io: CliIo): Log {
  const tell = (message: string) => io.stderr.write(`penstock: ${message}\n`);
  return { debug() {}, info() {}, warn: tell, error: tell };
}
