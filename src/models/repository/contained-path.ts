import { promises as fs, type Stats } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { ServingError } from '../../core/index.js';

/**
 * Real path of `name` inside `folder`, and what is there. Symbolic links are followed, but the end must lie inside
 * `root` (a real path): a link in a repository cannot make the server read what is outside it. `shown` is how messages
 * call it; they never carry absolute paths. Throws MODEL_INVALID.
 */
export async function containedPath(
  root: string,
  folder: string,
  name: string,
  shown: string,
): Promise<{ readonly path: string; readonly stats: Stats }> {
  if (isAbsolute(name) || /[\\\0]/.test(name) || name.split('/').includes('..')) {
    throw new ServingError('MODEL_INVALID', `${shown}: a path inside the model's folder is expected`);
  }
  let path: string;
  try {
    path = await fs.realpath(join(folder, name));
  } catch (cause) {
    throw unreadable(shown, cause);
  }
  if (!isInside(root, path)) {
    throw new ServingError('MODEL_INVALID', `${shown} leads outside the model repository`);
  }
  try {
    return { path, stats: await fs.stat(path) };
  } catch (cause) {
    throw unreadable(shown, cause);
  }
}

/** True where `path` is `root` or below it; both are real paths. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/**
 * Reads a whole file of at most `mostBytes` through `containedPath`. Throws MODEL_INVALID where it is not a regular
 * file, too large or unreadable.
 */
export async function readContained(
  root: string,
  folder: string,
  name: string,
  shown: string,
  mostBytes: number,
): Promise<Buffer> {
  const { path, stats } = await containedPath(root, folder, name, shown);
  if (!stats.isFile()) throw new ServingError('MODEL_INVALID', `${shown} is not a regular file`);
  if (stats.size > mostBytes) {
    throw new ServingError('MODEL_INVALID', `${shown} has ${stats.size} bytes, at most ${mostBytes} are read`);
  }
  try {
    return await fs.readFile(path);
  } catch (cause) {
    throw unreadable(shown, cause);
  }
}

/** A failed file operation as MODEL_INVALID: the system's code, not its message, which names absolute paths. */
export function unreadable(shown: string, cause: unknown): ServingError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const why = code === 'ENOENT' ? 'does not exist' : `cannot be read${code === undefined ? '' : ` (${code})`}`;
  return new ServingError('MODEL_INVALID', `${shown} ${why}`, { cause });
}
