import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  loadServerConfig,
  readServerFlags,
  type ServerConfig,
  takesModelsLater,
  withPlatformEnvironment,
} from '../config/index.js';
import type { IndexEntry } from '../core/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo, Listener, RunningServer } from './io.js';
import { type FileRepository, repositoryOfFiles } from './repository-of-files.js';
import { textTable } from './text-table.js';

/** A file of this name in the working folder is read where no `--config` is given. */
const DEFAULT_CONFIG_FILE = 'penstock.yaml';

/** `penstock serve`: runs a gateway until it is told to stop; its exit code. */
export async function serve(args: readonly string[], io: CliIo): Promise<number> {
  const { config, files, notes } = readServeArguments(args, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const made = files.length === 0 ? undefined : await repositoryOfFiles(files);
  try {
    return await run(withPlatformEnvironment(withRepository(config, made), io.env), io);
  } finally {
    await made?.remove();
  }
}

export interface ServeArguments {
  readonly config: ServerConfig;
  /** Model files that lie in no repository, absolute. */
  readonly files: readonly string[];
  /** What the person should know: flags that are not honoured, the file that was read. */
  readonly notes: readonly string[];
}

/** The configuration that a command line of `serve` or `validate` asks for. Throws where it is wrong. */
export function readServeArguments(args: readonly string[], io: Pick<CliIo, 'cwd' | 'env'>): ServeArguments {
  const flags = readServerFlags(args);
  const notes = [...flags.warnings];
  const implied = join(io.cwd, DEFAULT_CONFIG_FILE);
  let file = flags.configFile === undefined ? undefined : resolve(io.cwd, flags.configFile);
  if (file === undefined && existsSync(implied)) {
    file = implied;
    notes.push(`reading ${implied}`);
  }
  const folders: string[] = [];
  const files: string[] = [];
  for (const operand of flags.operands) {
    const path = resolve(io.cwd, operand);
    if (!existsSync(path)) throw new CliError(`${operand}: no such folder or model file`, EXIT_CODES.usage);
    if (statSync(path).isDirectory()) folders.push(path);
    else if (/\.onnx$/i.test(path)) files.push(path);
    else throw new CliError(`${operand}: expected a folder of models or an .onnx file`, EXIT_CODES.usage);
  }
  const named = (flags.values.repositories as string[] | undefined)?.map((folder) => resolve(io.cwd, folder)) ?? [];
  const values: Record<string, unknown> = { ...flags.values };
  // Models named on the command line replace the file's; those of flags and operands are taken together.
  if (named.length + folders.length + files.length > 0) values.repositories = [...named, ...folders];
  for (const file of ['adminTokenFile', 'tokensFile'])
    if (values[file] !== undefined) values[file] = resolve(io.cwd, String(values[file]));
  const state = values.state as { folder?: string } | undefined;
  if (state?.folder !== undefined && state.folder !== 'off')
    values.state = { ...state, folder: resolve(io.cwd, state.folder) };
  const cache = values.cache as { folder?: string } | undefined;
  if (cache?.folder !== undefined) values.cache = { ...cache, folder: resolve(io.cwd, cache.folder) };
  const gates = values.gates as { publicKeys?: string[] } | undefined;
  if (gates?.publicKeys !== undefined)
    values.gates = { ...gates, publicKeys: gates.publicKeys.map((file) => resolve(io.cwd, file)) };
  const capture = values.capture as { folder?: string } | undefined;
  if (capture?.folder !== undefined) values.capture = { ...capture, folder: resolve(io.cwd, capture.folder) };
  const config = loadServerConfig({ flags: values, origins: flags.origins, file });
  if (config.repositories.length + files.length === 0 && !takesModelsLater(config, io.env))
    throw new CliError(
      'no models to serve: name a folder of models (NAME/VERSION/model.onnx) or an .onnx file, e.g. penstock serve ./models',
      EXIT_CODES.usage,
    );
  return { config, files, notes };
}

/** The configuration with the repository of loose files among its own; its folder is another one each time, and so has no state. */
export function withRepository(config: ServerConfig, made: FileRepository | undefined): ServerConfig {
  if (made === undefined) return config;
  const { folder = 'off' } = config.state;
  return { ...config, repositories: [...config.repositories, made.folder], state: { folder } };
}

/** The configuration for a look at models: no port is open, and the state stays with the gateway that serves them. */
export function withoutListeners(config: ServerConfig): ServerConfig {
  const { http, grpc, metrics, admin } = config;
  return {
    ...config,
    http: { ...http, enabled: false },
    grpc: { ...grpc, enabled: false },
    metrics: { ...metrics, enabled: false },
    admin: { address: admin.address },
    sagemaker: { ...config.sagemaker, enabled: false },
    vertexAi: { ...config.vertexAi, enabled: false },
    state: { folder: 'off' },
    capture: { ...config.capture, folder: undefined },
    payloadLog: { ...config.payloadLog, parquet: [], http: [], kafka: [] },
  };
}

async function run(config: ServerConfig, io: CliIo): Promise<number> {
  if (io.isTTY) io.stderr.write(`Loading models from ${config.repositories.join(', ')} ...\n`);
  // Listened to before anything starts, so that a signal during a long load stops the load.
  let server: RunningServer | undefined;
  let stopAsked = false;
  const forget = io.onSignal((signal) => {
    io.stderr.write(
      stopAsked
        ? `penstock: ${signal}: still finishing accepted requests\n`
        : `penstock: ${signal}: no more requests are taken; finishing accepted ones\n`,
    );
    stopAsked = true;
    void server?.stop(); // `done` tells its end, and a failure on the way
  });
  try {
    server = await io.serve(config);
    if (stopAsked) void server.stop();
    const started = await Promise.race([server.ready.then(() => true), server.done.then(() => false)]);
    // Ended by itself before it was ready: `ready` has the reason.
    if (!started && !stopAsked) await server.ready;
    if (started && !stopAsked) {
      io.stdout.write(startText(server, io.version));
      if (config.exitOnError && server.models().some(failed)) {
        io.stderr.write('penstock: a model failed to load and exitOnError is set: stopping\n');
        await server.stop();
        return EXIT_CODES.failed;
      }
    }
    return await server.done;
  } finally {
    forget();
  }
}

const failed = (entry: IndexEntry) =>
  entry.state === 'UNAVAILABLE' && entry.reason !== '' && entry.reason !== 'unloaded';

/** What `serve` prints when it serves: where it listens, what is ready, what is not and why, and what to try. */
export function startText(server: RunningServer, version: string): string {
  const { http, grpc, metrics, admin } = server.addresses;
  const at = (listener: Listener) =>
    `${listener.address.includes(':') ? `[${listener.address}]` : listener.address}:${listener.port}`;
  const lines = [`Penstock ${version} is serving`];
  if (http !== undefined)
    lines.push(
      `  HTTP and WebSocket  ${http.tls === true ? 'https' : 'http'}://${at(http)}   (documentation at /v2/docs)`,
    );
  if (grpc !== undefined) lines.push(`  gRPC                ${at(grpc)}`);
  for (const { name, path, ...listener } of server.platforms ?? [])
    lines.push(`  ${name.padEnd(18)}  http://${at(listener)}${path}`);
  if (admin !== undefined) lines.push(`  Admin               http://${at(admin)}   (documentation at /v2/admin/docs)`);
  if (metrics !== undefined) lines.push(`  Metrics             http://${at(metrics)}/metrics`);
  const models = server.models();
  if (models.length === 0) lines.push('No models. Put some in the repository, or load one over the API.');
  const table = models.length === 0 ? '' : `\n${modelTable(models)}`;
  const hint = server.hint === undefined ? '' : `\nTry it:\n  ${server.hint}\n`;
  return `${lines.join('\n')}\n${table}${hint}`;
}

/** Model versions as a table, with the reason of those that are not ready. */
export function modelTable(models: readonly IndexEntry[]): string {
  const rows = models.map((entry) => [
    entry.name,
    entry.version === undefined ? '-' : String(entry.version),
    entry.state,
    entry.reason,
  ]);
  return textTable(['MODEL', 'VERSION', 'STATE', 'REASON'], rows);
}
