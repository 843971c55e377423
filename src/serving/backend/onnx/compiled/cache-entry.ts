import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DigestMemory } from './digest-memory.js';
import { digestFile } from './file-digest.js';
import { secureFile, writeDurably } from './private-folder.js';

/** Files of an entry. The model names its data file, so these names are part of the format. */
export const ENTRY_MODEL = 'model.onnx';
export const ENTRY_DATA = 'model.data';
const MANIFEST = 'manifest.json';
/** Empty; its time says when the entry was last used. */
export const LAST_USED = 'last-used';

interface Manifest {
  /** `canonicalText` of what the entry was compiled from. */
  readonly from: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** Writes the manifest of the files in a folder: the last step, so an entry without one was never finished. */
export async function sealEntry(folder: string, from: string): Promise<void> {
  const files: Manifest['files'][number][] = [];
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    await secureFile(path);
    const { identity, sha256 } = await digestFile(path);
    files.push({ name, bytes: Number(identity.bytes), sha256 });
  }
  if (!files.some((file) => file.name === ENTRY_MODEL)) throw new Error(`the folder has no ${ENTRY_MODEL}`);
  await writeDurably(join(folder, LAST_USED), '');
  await writeDurably(join(folder, MANIFEST), JSON.stringify({ from, files } satisfies Manifest));
}

/**
 * Why the entry in a folder cannot be used, or undefined. Checked: that it was made from just this, that exactly its
 * files are there, their sizes and their content.
 */
export async function faultOfEntry(folder: string, from: string, digests: DigestMemory): Promise<string | undefined> {
  const manifest = await readManifest(folder);
  if (manifest === undefined) return 'its manifest cannot be read';
  if (manifest.from !== from) return 'it was compiled from something else';
  const expected = new Set([MANIFEST, LAST_USED, ...manifest.files.map((file) => file.name)]);
  for (const name of await readdir(folder)) if (!expected.has(name)) return `it holds a foreign file, '${name}'`;
  for (const { name, bytes, sha256 } of manifest.files) {
    const path = join(folder, name);
    const facts = await lstat(path).catch(() => undefined);
    if (facts === undefined) return `'${name}' is missing`;
    if (!facts.isFile()) return `'${name}' is not a regular file`;
    if (facts.size !== bytes) return `'${name}' has ${facts.size} bytes instead of ${bytes}`;
    if ((await digests.digest(path)) !== sha256) return `'${name}' has other content than was written`;
  }
  return undefined;
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    const path = join(folder, MANIFEST);
    if (!(await lstat(path)).isFile()) return undefined;
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<Manifest> | null;
    const whole =
      typeof value?.from === 'string' &&
      Array.isArray(value.files) &&
      value.files.some((file) => file?.name === ENTRY_MODEL) &&
      value.files.every(
        (file) =>
          (file?.name === ENTRY_MODEL || file?.name === ENTRY_DATA) &&
          typeof file.bytes === 'number' &&
          typeof file.sha256 === 'string',
      );
    return whole ? (value as Manifest) : undefined;
  } catch {
    return undefined;
  }
}
