import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** The compiled program. */
export const PROGRAM = fileURLToPath(new URL('../../dist/cli/penstock.cjs', import.meta.url));
const END_WITH_PARENT = new URL('../fixtures/end-with-parent.mjs', import.meta.url);

export type GatewayProcess = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

/**
 * `penstock serve` as a process of its own. It ends with the one that starts it: a test that fails, is timed out or killed
 * before it stops its gateway leaves none behind. `preload`: modules that it loads before the program.
 */
export function gatewayProcess(
  models: string,
  flags: readonly string[],
  preload: readonly URL[] = [],
  env: NodeJS.ProcessEnv = process.env,
): GatewayProcess {
  const imports = [END_WITH_PARENT, ...preload].flatMap(({ href }) => ['--import', href]);
  return spawn(process.execPath, [...imports, PROGRAM, 'serve', models, ...flags], {
    cwd: models,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  }) as GatewayProcess;
}
