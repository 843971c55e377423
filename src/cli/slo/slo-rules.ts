import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseModelSlos, type ServerConfig, serverSlos } from '../../config/index.js';
import type { Slo } from '../../core/index.js';
import { alertRules } from '../../insight/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { readServeArguments } from '../serve.js';
import { readTextFile } from '../text-file.js';

/** `penstock slo rules`: the rules of all SLOs that a gateway of this command line would have. Loads no model. */
export async function sloRules(output: string | undefined, args: readonly string[], io: CliIo): Promise<number> {
  const { config, notes } = readServeArguments(args, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const slos = [...serverSlos(config.slos), ...config.repositories.flatMap(slosBesideModels)];
  if (slos.length === 0)
    throw new CliError('there are no SLOs: neither slos in the configuration nor slo.yaml beside a model');
  const rules = alertRules(slos);
  if (output === undefined) io.stdout.write(rules);
  else {
    writeRules(resolve(io.cwd, output), output, rules);
    io.stderr.write(`penstock: rules of ${slos.length} SLO${slos.length === 1 ? '' : 's'} in ${output}\n`);
  }
  return EXIT_CODES.done;
}

/** `slo.yaml` and `slo.json` of every model of a repository; of a single file none. */
function slosBesideModels(repository: ServerConfig['repositories'][number]): readonly Slo[] {
  if (!existsSync(repository)) return [];
  const models = readdirSync(repository, { withFileTypes: true }).filter((entry) => !entry.isFile());
  return models.flatMap(({ name }) =>
    ['slo.yaml', 'slo.json']
      .map((file) => ({ path: join(repository, name, file), shown: `${name}/${file}` }))
      .filter(({ path }) => existsSync(path))
      .flatMap(({ path, shown }) => parseModelSlos(readTextFile(path, shown), shown, name)),
  );
}

function writeRules(path: string, shown: string, rules: string): void {
  try {
    writeFileSync(path, rules);
  } catch (thrown) {
    throw new CliError(`${shown}: cannot be written (${(thrown as NodeJS.ErrnoException).code})`, EXIT_CODES.usage);
  }
}
