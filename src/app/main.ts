import { type CliIo, runCli } from '../cli/index.js';
import { createLog } from '../insight/index.js';
import { loadOrtLibrary } from '../serving/backend/index.js';
import { loadUws } from '../serving/transport/index.js';
import { Gateway } from './gateway.js';
import { logOptions } from './log-options.js';
import { openRepository } from './repository.js';
import { SYSTEM_CLOCK } from './system-clock.js';
import { PENSTOCK_VERSION } from './version.js';

// Who read our output may go away (a closed terminal, a supervisor that died): that must not end a server, nor keep it from
// ending.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** The one place that touches the process: arguments, environment, signals, exit code. */
const io: CliIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
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
  serve: async (config, versions) =>
    new Gateway(config, {
      cwd: process.cwd(),
      isTTY: process.stderr.isTTY === true,
      xdgCacheHome: process.env.XDG_CACHE_HOME,
      ...(versions === undefined ? {} : { versions }),
      xdgStateHome: process.env.XDG_STATE_HOME,
      env: process.env,
    }),
  openModels: (config, hostOf) => {
    const log = createLog(logOptions(config.log, process.stderr.isTTY === true));
    const surroundings = { cwd: process.cwd(), xdgCacheHome: process.env.XDG_CACHE_HOME };
    const host = hostOf({ clock: SYSTEM_CLOCK, log });
    return openRepository(config, { host, clock: SYSTEM_CLOCK, log, surroundings });
  },
  machine: {
    loadHttp: () => {
      loadUws();
      return `uWebSockets.js, Node ABI ${process.versions.modules}`;
    },
    loadOnnxRuntime: () => {
      const { version, path } = loadOrtLibrary();
      return { version, path };
    },
  },
};

process.exitCode = await runCli(process.argv.slice(2), io);
