import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaPresence } from '../../serving/backend/index.js';

/** A GPU as its driver tells of it; what it does not tell is undefined. */
export interface Gpu {
  readonly name: string;
  readonly driver: string | undefined;
  readonly memoryMiB: number | undefined;
  readonly computeCapability: string | undefined;
}

export const UNKNOWN_GPU: Gpu = {
  name: 'NVIDIA GPU',
  driver: undefined,
  memoryMiB: undefined,
  computeCapability: undefined,
};

/** Driver that CUDA 13, which the provider is built with, asks for. */
const LEAST_DRIVER = 580;
const QUERY_TIMEOUT_MS = 20_000;

/** The GPUs of this machine: by `nvidia-smi`, else by what the driver shows in the file system. Empty where there is none. */
export async function findGpus(): Promise<Gpu[]> {
  const told = await askNvidiaSmi();
  if (told.length > 0) return told;
  const driver = readText('/proc/driver/nvidia/version')?.match(/Kernel Module.*?\s(\d+\.\d+[\d.]*)/)?.[1];
  const folder = '/proc/driver/nvidia/gpus';
  const cards = existsSync(folder) ? readdirSync(folder) : [];
  const found = cards.map((card) => {
    const name = readText(join(folder, card, 'information'))?.match(/^Model:\s*(.+)$/m)?.[1];
    return { ...UNKNOWN_GPU, name: name ?? UNKNOWN_GPU.name, driver };
  });
  if (found.length > 0 || cudaPresence().driverMark === undefined) return found;
  // A driver that does not say what it drives: the session's creation will.
  return [{ ...UNKNOWN_GPU, driver }];
}

/**
 * One line on why the check cannot be made here and what to do about it; undefined where it can.
 */
export function whyUnable(facts: {
  readonly machine: string;
  readonly gpus: readonly Gpu[];
  readonly missingFiles: readonly string[];
  /** Folder of ONNX Runtime's library. */
  readonly folder: string;
  readonly ortVersion: string;
}): string | undefined {
  const { machine, gpus, missingFiles, folder, ortVersion } = facts;
  if (machine !== 'linux x64') return `CUDA runs on Linux x64 only, this is ${machine}; run it on such a machine`;
  const files = missingFiles.join(' and ');
  const copy = `copy ${files} of PyPI onnxruntime-gpu ${ortVersion} into ${folder} (deploy/GPU.md)`;
  if (gpus.length === 0) {
    const also = missingFiles.length === 0 ? '' : `, and there first ${copy}`;
    return `no NVIDIA GPU answers here; run it on a machine that has one, with driver ${LEAST_DRIVER} or newer${also}`;
  }
  if (missingFiles.length > 0) return `${gpus[0]!.name} is here, but ONNX Runtime's CUDA provider is not; ${copy}`;
  return undefined;
}

/** Advice where a driver is too old for CUDA 13; undefined where it is not, or is not known. */
export function oldDriver(gpu: Gpu): string | undefined {
  const major = Number(gpu.driver?.split('.')[0] ?? Number.NaN);
  return major < LEAST_DRIVER
    ? `driver ${gpu.driver} is older than ${LEAST_DRIVER}, which CUDA 13 asks for`
    : undefined;
}

function askNvidiaSmi(): Promise<Gpu[]> {
  const query = ['--query-gpu=name,driver_version,memory.total,compute_cap', '--format=csv,noheader,nounits'];
  return new Promise((settle) => {
    execFile('nvidia-smi', query, { timeout: QUERY_TIMEOUT_MS, encoding: 'utf8' }, (error, text) =>
      settle(error === null ? readGpuRows(text) : []),
    );
  });
}

/** Rows of `nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap`. */
export function readGpuRows(text: string): Gpu[] {
  const rows = text.split('\n').map((line) => line.split(',').map((cell) => cell.trim()));
  return rows
    .filter((cells) => cells.length === 4)
    .map(([name, driver, memory, capability]) => ({
      name: name!,
      driver: known(driver!),
      memoryMiB: known(memory!) === undefined ? undefined : Number(memory),
      computeCapability: known(capability!),
    }));
}

const known = (cell: string) => (cell === '' || /n\/a|not supported|unknown/i.test(cell) ? undefined : cell);

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
