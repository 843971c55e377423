import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ModelFiles, ServingError } from '../../core/index.js';

/** Hashes of all files of a version, as `sha256sum` writes them, and the signature over it; both lie in the version's folder. */
export const MANIFEST = 'SHA256SUMS';
export const SIGNATURE = `${MANIFEST}.minisig`;

const MOST_FILES = 10_000;
const MOST_DEPTH = 16;

/** The manifest of the files below a folder, as they are. Rejects with MODEL_INVALID where one cannot be read. */
export async function manifestOf(files: ModelFiles, folder: string): Promise<string> {
  const lines: string[] = [];
  for (const path of await pathsBelow(files, folder, '', 0)) {
    lines.push(`${await sha256(await files.locate(`${folder}/${path}`))}  ${path}\n`);
  }
  return lines.join('');
}

/** Why the files below a folder are not those of a manifest; undefined: they are, all of them and no other. */
export async function manifestFault(files: ModelFiles, folder: string, manifest: string): Promise<string | undefined> {
  const told = new Map<string, string>();
  for (const line of manifest.split('\n')) {
    if (line === '') continue;
    const [, hash, path] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (hash === undefined || path === undefined) return `${MANIFEST} has a line that is none of sha256sum`;
    told.set(path, hash);
  }
  const there = await pathsBelow(files, folder, '', 0);
  const unknown = there.find((path) => !told.has(path));
  if (unknown !== undefined) return `${unknown} is not in ${MANIFEST}`;
  const gone = [...told.keys()].find((path) => !there.includes(path));
  if (gone !== undefined) return `${gone} of ${MANIFEST} is not there`;
  for (const path of there) {
    if ((await sha256(await files.locate(`${folder}/${path}`))) !== told.get(path)) return `${path} was changed`;
  }
  return undefined;
}

/** Paths of all files below, ascending. */
async function pathsBelow(files: ModelFiles, root: string, below: string, depth: number): Promise<readonly string[]> {
  if (depth > MOST_DEPTH) throw new ServingError('MODEL_INVALID', `${root}: folders are nested too deep to be signed`);
  const paths: string[] = [];
  for (const { name, folder } of (await files.list(below === '' ? root : `${root}/${below}`)) ?? []) {
    const path = below === '' ? name : `${below}/${name}`;
    if (path === MANIFEST || path === SIGNATURE) continue;
    if (/[\r\n\\]/.test(name))
      throw new ServingError('MODEL_INVALID', `${root}: a file's name cannot be in ${MANIFEST}`);
    if (folder) paths.push(...(await pathsBelow(files, root, path, depth + 1)));
    else paths.push(path);
    if (paths.length > MOST_FILES) throw new ServingError('MODEL_INVALID', `${root}: too many files to be signed`);
  }
  return paths;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    throw new ServingError('MODEL_INVALID', `a file cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
  return hash.digest('hex');
}
