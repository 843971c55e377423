import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../fixtures/nvml/nvml-stub.c', import.meta.url));

/** Whether there is a C compiler to build the stand-in for NVML with. */
export const hasCompiler = spawnSync('cc', ['--version']).error === undefined;

/** Builds a library that answers as NVML does on a machine of two GPUs; its path. */
export function buildNvmlStub(): string {
  const path = join(mkdtempSync(join(tmpdir(), 'penstock-nvml-')), 'libnvidia-ml.so.1');
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', path, SOURCE], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the stand-in for NVML does not compile: ${built.stderr}`);
  return path;
}
