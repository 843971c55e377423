import type { IndexEntry } from '../core/index.js';
import { EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { repositoryOfFiles } from './repository-of-files.js';
import { modelTable, readServeArguments, withoutListeners, withRepository } from './serve.js';

/**
 * `penstock validate`: loads and warms every model on the same path as `serve`, opens no port, says what each is, and
 * ends. Fails where one is not ready.
 */
export async function validate(args: readonly string[], io: CliIo): Promise<number> {
  const json = args.includes('--json');
  const { config, files, notes } = readServeArguments(
    args.filter((word) => word !== '--json'),
    io,
  );
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const made = files.length === 0 ? undefined : await repositoryOfFiles(files);
  try {
    const closed = {
      ...withoutListeners(withRepository(config, made)),
      // What the person wants to know is in the report; the log tells what is wrong beyond it.
      log: { ...config.log, info: false },
    };
    const server = await io.serve({
      ...closed,
      modelControlMode: 'none',
      loadModels: [],
    });
    try {
      await server.ready;
      return report(server.models(), json, io);
    } finally {
      await server.stop();
      await server.done;
    }
  } finally {
    await made?.remove();
  }
}

function report(models: readonly IndexEntry[], json: boolean, io: CliIo): number {
  const bad = models.filter((entry) => entry.state !== 'READY');
  const valid = bad.length === 0 && models.length > 0;
  if (json) io.stdout.write(`${JSON.stringify({ valid, models })}\n`);
  else {
    if (models.length > 0) io.stdout.write(modelTable(models));
    const verdict =
      models.length === 0
        ? 'no models found; expected folders NAME/VERSION/model.onnx'
        : `${models.length - bad.length} of ${models.length} model versions can be served`;
    io.stdout.write(`${verdict}\n`);
  }
  return valid ? EXIT_CODES.done : EXIT_CODES.failed;
}
