import { constants, promises as fs } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { wrongName } from '../core/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';

/** A repository made for model files that lie in none. */
export interface FileRepository {
  readonly folder: string;
  /** Removes it. */
  remove(): Promise<void>;
}

/**
 * Lays out `NAME/1/model.onnx` for each file in a temporary folder, NAME being the file's name less `.onnx`, with the
 * files of external data that the model names. Copies (a repository may not lead outside itself), sharing blocks where the
 * file system can.
 */
export async function repositoryOfFiles(files: readonly string[]): Promise<FileRepository> {
  const names = new Set<string>();
  for (const file of files) {
    const name = modelNameOf(file);
    const wrong = wrongName(name);
    if (wrong !== undefined)
      throw new CliError(`${file}: the model name '${name}' ${wrong}; rename the file`, EXIT_CODES.usage);
    if (names.has(name)) throw new CliError(`two files give the model name '${name}'; rename one`, EXIT_CODES.usage);
    names.add(name);
  }
  const folder = await fs.mkdtemp(join(tmpdir(), 'penstock-'));
  const remove = () => fs.rm(folder, { recursive: true, force: true });
  try {
    for (const file of files) await placeModel(file, join(folder, modelNameOf(file), '1'));
  } catch (thrown) {
    await remove();
    throw new CliError(
      `cannot take ${(thrown as { path?: string }).path ?? 'a model file'}: ${(thrown as Error).message}`,
      EXIT_CODES.usage,
    );
  }
  return { folder, remove };
}

/** `path/to/resnet.onnx` is the model `resnet`. */
export function modelNameOf(file: string): string {
  return basename(file).replace(/\.onnx$/i, '');
}

async function placeModel(file: string, folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  await fs.copyFile(file, join(folder, 'model.onnx'), constants.COPYFILE_FICLONE);
  for (const location of externalLocations(await fs.readFile(file))) {
    const target = join(folder, location);
    await fs.mkdir(dirname(target), { recursive: true });
    await fs.copyFile(join(dirname(file), location), target, constants.COPYFILE_FICLONE);
  }
}

/** `StringStringEntryProto { key: "location" ... }` as the file holds it, up to its value's tag. */
const LOCATION_ENTRY = Buffer.from('\n\x08location\x12', 'latin1');

/** Files of external data that an ONNX file names: relative paths that stay in its folder. */
export function externalLocations(model: Buffer): Set<string> {
  const found = new Set<string>();
  for (let at = model.indexOf(LOCATION_ENTRY); at >= 0; at = model.indexOf(LOCATION_ENTRY, at + 1)) {
    const start = at + LOCATION_ENTRY.length;
    // A varint of one or two bytes: a path is shorter than 16 KiB.
    const first = model[start] ?? 0;
    const long = first >= 0x80;
    const length = long ? (first & 0x7f) | ((model[start + 1] ?? 0) << 7) : first;
    const location = model.toString('utf8', start + (long ? 2 : 1), start + (long ? 2 : 1) + length);
    if (location !== '' && !isAbsolute(location) && !location.split(/[/\\]/).includes('..') && !location.includes('\0'))
      found.add(location);
  }
  return found;
}
