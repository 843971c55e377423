import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { PenstockClient, PenstockError } from '../../client/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { gatewayFetch } from '../gateway-fetch.js';
import type { CliIo } from '../io.js';
import { readServeArguments, withoutListeners } from '../serve.js';
import { type ModelTypes, typesOfModels } from './model-types.js';
import { typesText } from './types-text.js';

export interface GenerateTypesOptions {
  /** Names of models; empty = all. */
  readonly models: readonly string[];
  readonly url: string;
  /** Folders to read the models from instead of a gateway. */
  readonly repositories: readonly string[];
  /** Default standard output. */
  readonly out: string | undefined;
  /** Write nothing; fail where the file is not what would be written. */
  readonly check: boolean;
}

/** `penstock generate-types`: writes the types of models' inputs and outputs, or says whether a file has them. */
export async function generateTypes(options: GenerateTypesOptions, io: CliIo): Promise<number> {
  const { models, url, repositories, out, check } = options;
  if (check && out === undefined)
    throw new CliError('which file is to be checked? --check --out FILE', EXIT_CODES.usage);
  const types =
    repositories.length > 0 ? await fromRepositories(repositories, models, io) : await fromGateway(url, models);
  if (types.length === 0) throw new CliError('there is no model to write the types of');
  const text = typesText(types);
  if (out === undefined) io.stdout.write(text);
  else if (check) return checkFile(out, text, io);
  else {
    const path = resolve(io.cwd, out);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    io.stderr.write(`penstock: wrote the types of ${types.length} models to ${out}\n`);
  }
  return EXIT_CODES.done;
}

function checkFile(out: string, text: string, io: CliIo): number {
  let found: string;
  try {
    found = readFileSync(resolve(io.cwd, out), 'utf8');
  } catch {
    throw new CliError(`${out} is not there; write it with penstock generate-types --out ${out}`);
  }
  if (found === text) return EXIT_CODES.done;
  const is = found.split('\n');
  const line = text.split('\n').findIndex((wanted, i) => wanted !== is[i]);
  io.stderr.write(
    `penstock: ${out} is stale from line ${line < 0 ? is.length : line + 1} on; write it anew with penstock generate-types --out ${out}\n`,
  );
  return EXIT_CODES.failed;
}

async function fromGateway(url: string, models: readonly string[]): Promise<ModelTypes[]> {
  try {
    return await typesOfModels(new PenstockClient(url, { fetch: gatewayFetch }), models);
  } catch (thrown) {
    if (!(thrown instanceof PenstockError)) throw thrown;
    const { reason, message } = thrown;
    if (reason !== 'UNREACHABLE' && reason !== 'TIMEOUT') throw new CliError(`${url} refuses: ${message}`);
    throw new CliError(
      `${message}; start a gateway with penstock serve, give its address with --url, or the models with --repository`,
      EXIT_CODES.unreachable,
    );
  }
}

/** Serves the models to this process alone, so that what is written is what a gateway will say. */
async function fromRepositories(
  folders: readonly string[],
  models: readonly string[],
  io: CliIo,
): Promise<ModelTypes[]> {
  const { config, notes } = readServeArguments(folders, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const closed = withoutListeners(config);
  const server = await io.serve({
    ...closed,
    http: { ...config.http, enabled: true, address: '127.0.0.1', port: 0, unixSocket: undefined, tls: {} },
    ingress: { ...config.ingress, threads: 0 },
    costs: { ...config.costs, sweepMs: 0 },
    log: { ...config.log, info: false },
    modelControlMode: 'explicit',
    loadModels: models.length > 0 ? [...models] : ['*'],
  });
  try {
    await server.ready;
    for (const { name, state, reason } of server.models()) {
      const wanted = models.length === 0 || models.includes(name);
      if (wanted && state !== 'READY') throw new CliError(`model ${name} does not load: ${reason}`);
    }
    return await fromGateway(`http://127.0.0.1:${server.addresses.http?.port}`, models);
  } finally {
    await server.stop();
    await server.done;
  }
}
