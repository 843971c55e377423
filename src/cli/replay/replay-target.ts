import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { readServeArguments, withoutListeners } from '../serve.js';

/** Where a candidate, and a baseline, answer. */
export interface ReplayTarget {
  readonly url: string;
  /** Undefined: the highest that serves. */
  readonly candidate: string | undefined;
  readonly baseline: string | undefined;
  /** Ends what was started for it. */
  close(): Promise<void>;
}

export interface TargetOptions {
  readonly model: string;
  /** A version, or the folder of another repository. */
  readonly candidate: string;
  readonly baseline: string | undefined;
  /** A gateway that runs; undefined: one is started. */
  readonly server: string | undefined;
}

/** The gateway that answers: one that runs, or one of its own, on a free port of this machine, with the versions asked for alone. */
export async function openTarget(options: TargetOptions, args: readonly string[], io: CliIo): Promise<ReplayTarget> {
  const { model, candidate, baseline, server } = options;
  const version = /^[1-9]\d*$/.test(candidate) ? candidate : undefined;
  if (server !== undefined) {
    if (version === undefined) throw usage('with --server the candidate is a version of the model there');
    return { url: server, candidate: version, baseline, close: async () => {} };
  }
  if (version === undefined) {
    if (baseline !== undefined) throw usage('a baseline is a version beside the candidate, not of another repository');
    if (!isFolder(resolve(io.cwd, candidate))) throw usage(`${candidate}: neither a version nor a folder of models`);
    return start(model, undefined, [candidate, ...args], io, { candidate: undefined, baseline: undefined });
  }
  const versions = [version, ...(baseline === undefined ? [] : [baseline])].map(Number);
  return start(model, versions, args, io, { candidate: version, baseline });
}

async function start(
  model: string,
  versions: readonly number[] | undefined,
  args: readonly string[],
  io: CliIo,
  names: Pick<ReplayTarget, 'candidate' | 'baseline'>,
): Promise<ReplayTarget> {
  const { config, notes } = readServeArguments(args, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const own = {
    ...withoutListeners(config),
    http: { ...config.http, enabled: true, address: '127.0.0.1', port: 0, unixSocket: undefined, tls: {} },
    log: { ...config.log, info: false },
    modelControlMode: 'explicit' as const,
    loadModels: [model],
  };
  const running = await io.serve(own, versions === undefined ? undefined : new Map([[model, versions]]));
  const close = async () => {
    await running.stop();
    await running.done;
  };
  try {
    await running.ready;
    const rows = running.models().filter((row) => row.name === model);
    const bad = rows.find((row) => row.state !== 'READY');
    if (bad !== undefined || rows.length === 0) {
      throw new CliError(
        `'${model}'${bad?.version === undefined ? '' : ` version ${bad.version}`} does not serve: ${bad?.reason ?? 'it is not there'}`,
      );
    }
    return { url: `http://127.0.0.1:${running.addresses.http?.port}`, ...names, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
