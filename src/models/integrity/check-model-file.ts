import { promises as fs } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { ServingError } from '../../core/index.js';
import { unreadable } from '../repository/contained-path.js';
import { type ExternalReference, externalReferences } from './external-references.js';
import { FileWindow } from './file-window.js';

/** Protobuf reads no message of 2 GiB or more; larger models keep their tensors in external data. */
const MOST_MODEL_BYTES = 2 ** 31 - 1;
const MOST_EXTERNAL_FILES = 10_000;

/**
 * Checks an ONNX file before any runtime sees it: its size, and that every external data file it names is a regular file
 * with one name, in or below the model's own folder, reached through no link, and long enough. Guards against the ways
 * out that ONNX's own checker left open one after another (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489 symlinked
 * parent, CVE-2026-34446 hard link). `path` is real; `shown` is how messages call it. Gives the
 * external data files by the names the model has for them. Throws MODEL_INVALID.
 */
export async function checkOnnxFile(path: string, shown: string): Promise<readonly string[]> {
  const file = await fs.open(path, 'r').catch((cause) => {
    throw unreadable(shown, cause);
  });
  try {
    const { size } = await file.stat();
    if (size > MOST_MODEL_BYTES) {
      throw new ServingError('MODEL_INVALID', `${shown} has ${size} bytes; above 2 GiB tensors must be external data`);
    }
    const sizes = new Map<string, number>();
    for await (const reference of externalReferences(new FileWindow(file, size), shown)) {
      await checkReference(dirname(path), reference, sizes, shown);
    }
    return [...sizes.keys()];
  } catch (thrown) {
    throw thrown instanceof ServingError ? thrown : unreadable(shown, thrown);
  } finally {
    await file.close();
  }
}

async function checkReference(
  folder: string,
  reference: ExternalReference,
  sizes: Map<string, number>,
  shown: string,
): Promise<void> {
  const { location, offsetBytes, lengthBytes } = reference;
  let size = sizes.get(location);
  if (size === undefined) {
    if (sizes.size >= MOST_EXTERNAL_FILES) {
      throw new ServingError('MODEL_INVALID', `${shown} names more than ${MOST_EXTERNAL_FILES} external data files`);
    }
    size = await externalFileBytes(folder, location, shown);
    sizes.set(location, size);
  }
  const end = offsetBytes + (lengthBytes ?? 0);
  if (end <= size) return;
  throw new ServingError(
    'MODEL_INVALID',
    `${shown}: external data up to byte ${end} of '${location}' are needed, the file has ${size} bytes`,
  );
}

/** Size of an external data file, after every check of its path. */
async function externalFileBytes(folder: string, location: string, shown: string): Promise<number> {
  const refuse = (why: string): never => {
    throw new ServingError('MODEL_INVALID', `${shown}: external data '${location}' ${why}`);
  };
  const parts = location.split('/').filter((part) => part !== '' && part !== '.');
  if (location === '' || parts.length === 0) refuse('has no file name');
  if (isAbsolute(location) || /^[A-Za-z]:/.test(location)) refuse('is an absolute path');
  if (/[\\\0]/.test(location)) refuse('holds a backslash or NUL');
  if (parts.includes('..')) refuse("leaves the model's folder");
  let path = folder;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const stats = await fs.lstat(path).catch((cause) => {
      throw unreadable(`${shown}: external data '${location}'`, cause);
    });
    if (stats.isSymbolicLink()) refuse('is reached through a symbolic link');
    if (index < parts.length - 1) {
      if (!stats.isDirectory()) refuse(`goes through '${part}', which is no folder`);
      continue;
    }
    if (!stats.isFile()) refuse('is not a regular file');
    if (stats.nlink !== 1) refuse(`has ${stats.nlink} names (hard links); it must have one`);
    return stats.size;
  }
  return refuse('has no file name');
}
