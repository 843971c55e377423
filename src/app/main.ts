import { type CliIo, runCli } from '../cli/index.js';
import { bundledLibraryPath } from '../serving/backend/index.js';
import { Gateway } from './gateway.js';
import { PENSTOCK_VERSION } from './version.js';

/** The one place that touches the process: arguments, environment, signals, exit code. */
const io: CliIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  isTTY: process.stdout.isTTY === true,
  version: PENSTOCK_VERSION,
  onSignal: (handler) => {
    process.on('SIGINT', handler);
    process.on('SIGTERM', handler);
    return () => {
      process.off('SIGINT', handler);
      process.off('SIGTERM', handler);
    };
  },
  serve: async (config) => new Gateway(config, { cwd: process.cwd(), isTTY: process.stderr.isTTY === true }),
  machine: {
    loadHttp: () => {
      throw new Error('not joined yet');
    },
    loadOnnxRuntime: () => ({ version: '', path: bundledLibraryPath() }),
  },
};

process.exitCode = await runCli(process.argv.slice(2), io);
