import { Readable } from 'node:stream';
import type { CliIo } from '../../src/cli/io.js';
import { runCli } from '../../src/cli/run-cli.js';

/** What a command line printed, and its exit code. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the words of `line` (parted by one blank) in a pipe, where no gateway may be started and the machine is not looked at. */
export async function cliRun(line: string, cwd = '.', stdin = ''): Promise<CliRun> {
  const [out, err] = [[] as string[], [] as string[]];
  const nothing = () => {
    throw new Error('not asked for here');
  };
  const io: CliIo = {
    stdout: { write: (chunk) => void out.push(String(chunk)) },
    stderr: { write: (chunk) => void err.push(String(chunk)) },
    stdin: Readable.from([Buffer.from(stdin)]),
    env: {},
    cwd,
    isTTY: false,
    version: '0',
    onSignal: () => () => {},
    serve: nothing,
    openModels: nothing,
    machine: { loadHttp: nothing, loadOnnxRuntime: nothing },
  };
  const code = await runCli(line.split(' '), io);
  return { code, out: out.join(''), err: err.join('') };
}
