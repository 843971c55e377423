import { type Dirent, promises as fs, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MAX_VERSION, ServingError, versionOf, wrongName } from '../../core/index.js';
import { containedPath, unreadable } from './contained-path.js';

/** Where a model's files lie. `root` and `folder` are real paths; every file read must lie inside `root`. */
export interface ModelPlace {
  readonly root: string;
  readonly folder: string;
  /** Not in a repository: the model has another name than its folder, and than its config says perhaps. */
  readonly adopted?: true;
}

/** The real path of a repository folder. Throws MODEL_INVALID: an operator's mistake, so it names the path. */
export async function repositoryRoot(folder: string): Promise<string> {
  try {
    const root = await fs.realpath(folder);
    await fs.readdir(root);
    return root;
  } catch (cause) {
    throw unreadable(`model repository '${folder}'`, cause);
  }
}

/** Names of the model folders in a repository, in order; hidden ones and files are passed over, bad names told to `bad`. */
export function modelNamesIn(root: string, bad: (name: string, why: string) => void = () => {}): string[] {
  const names: string[] = [];
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || !mayBeFolder(entry)) continue;
    const wrong = wrongName(entry.name);
    if (wrong === undefined) names.push(entry.name);
    else bad(entry.name, `it ${wrong}`);
  }
  return names.sort();
}

/** A link may lead to a folder: whether it does is seen when it is opened. */
function mayBeFolder(entry: Dirent): boolean {
  return entry.isDirectory() || entry.isSymbolicLink();
}

/**
 * Where the model `name` lies in a repository; undefined where it has no such folder. Throws MODEL_INVALID where the
 * folder leads outside the repository.
 */
export async function placeOf(root: string, name: string): Promise<ModelPlace | undefined> {
  try {
    await fs.lstat(join(root, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(`model '${name}'`, cause);
  }
  const { path, stats } = await containedPath(root, root, name, `model '${name}'`);
  return stats.isDirectory() ? { root, folder: path } : undefined;
}

/**
 * Version folders of a model, ascending, and the names of its other entries. Throws MODEL_INVALID for a version that no
 * request could name: passed over, another one would be the latest.
 */
export async function listModel(
  place: ModelPlace,
  name: string,
): Promise<{ readonly versions: readonly number[]; readonly files: ReadonlySet<string> }> {
  let entries: Dirent[];
  try {
    entries = await fs.readdir(place.folder, { withFileTypes: true });
  } catch (cause) {
    throw unreadable(`model '${name}'`, cause);
  }
  const versions: number[] = [];
  const files = new Set<string>();
  for (const entry of entries) {
    const version = mayBeFolder(entry) ? versionOf(entry.name) : undefined;
    if (version === undefined) files.add(entry.name);
    else if (version <= MAX_VERSION) versions.push(version);
    else {
      const shown = entry.name.length > 32 ? `${entry.name.slice(0, 32)}...` : entry.name;
      throw new ServingError(
        'MODEL_INVALID',
        `version ${name}/${shown} is above ${MAX_VERSION}, the highest that is served`,
      );
    }
  }
  return { versions: versions.sort((a, b) => a - b), files };
}

/** The model file of a version: real path, inside the repository, not empty. Throws MODEL_INVALID. */
export async function modelFileOf(
  place: ModelPlace,
  name: string,
  version: number,
  candidates: readonly string[],
): Promise<{ readonly path: string; readonly file: string }> {
  const shown = `${name}/${version}`;
  const { path: folder, stats } = await containedPath(place.root, place.folder, String(version), `version ${shown}`);
  if (!stats.isDirectory()) throw new ServingError('MODEL_INVALID', `version ${shown} is not a folder`);
  const there = new Set(await fs.readdir(folder));
  for (const file of candidates) {
    if (!there.has(file.split('/')[0] as string)) continue;
    let found = await containedPath(place.root, folder, file, `model file ${shown}/${file}`);
    // Triton: a folder `model.onnx` holds a file of the same name beside its external data.
    if (found.stats.isDirectory()) {
      const inner = basename(file);
      found = await containedPath(place.root, found.path, inner, `model file ${shown}/${file}/${inner}`);
    }
    if (!found.stats.isFile()) throw new ServingError('MODEL_INVALID', `model file ${shown}/${file} is not a file`);
    if (found.stats.size === 0) throw new ServingError('MODEL_INVALID', `model file ${shown}/${file} is empty`);
    return { path: found.path, file };
  }
  throw new ServingError('MODEL_INVALID', `version ${shown} has no model file; expected ${candidates.join(' or ')}`);
}
