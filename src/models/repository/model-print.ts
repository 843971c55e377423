import { type Dirent, promises as fs } from 'node:fs';
import { join } from 'node:path';
import { versionOf } from '../../core/index.js';
import { BESIDE_FILES } from './beside-file.js';

/** How a model's files looked: texts that differ where a file came, went, grew or was written since. */
export interface ModelPrint {
  /** All but its versions and what stands beside them. */
  readonly shared: string;
  /** Routes and rollout: they change who is asked, not what is opened. */
  readonly beside: string;
  readonly versions: ReadonlyMap<number, string>;
}

/** Files looked at in one model, and how deep: beyond, changes are not seen. */
const MOST_FILES = 10_000;
const MOST_DEPTH = 8;

/** Looks at the files of a model's folder, without opening any; undefined where there is no such folder. Throws what the system does. */
export async function modelPrint(folder: string): Promise<ModelPrint | undefined> {
  let entries: Dirent[];
  try {
    entries = await fs.readdir(folder, { withFileTypes: true });
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw thrown;
  }
  const shared: string[] = [];
  const beside: string[] = [];
  const versions = new Map<number, string>();
  const left = { files: MOST_FILES };
  for (const entry of entries.sort(byName)) {
    const lines: string[] = [];
    await look(folder, entry, 1, lines, left);
    const version = versionOf(entry.name);
    if (version !== undefined) versions.set(version, lines.join('\n'));
    else (BESIDE_FILES.has(entry.name) ? beside : shared).push(...lines);
  }
  return { shared: shared.join('\n'), beside: beside.join('\n'), versions };
}

export function samePrint(a: ModelPrint | undefined, b: ModelPrint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.shared !== b.shared || a.beside !== b.beside || a.versions.size !== b.versions.size) return false;
  return sameVersions(a, b).size === a.versions.size;
}

/** Versions that are in both and the same, and would be opened with the same config. */
export function sameVersions(a: ModelPrint, b: ModelPrint): ReadonlySet<number> {
  if (a.shared !== b.shared) return new Set();
  return new Set([...a.versions].filter(([version, print]) => b.versions.get(version) === print).map(([one]) => one));
}

/** A link is told by where it leads, too: whoever swaps links swaps whole versions. */
async function look(
  folder: string,
  entry: Dirent,
  depth: number,
  lines: string[],
  left: { files: number },
): Promise<void> {
  if (left.files-- <= 0) return;
  const path = join(folder, entry.name);
  const link = entry.isSymbolicLink() ? await fs.readlink(path).catch(() => '') : '';
  // What goes while it is looked at is seen to be gone the next time.
  const stats = await fs.stat(path).catch(() => undefined);
  if (stats === undefined || !stats.isDirectory()) {
    lines.push(`${path} ${link} ${stats?.size} ${stats?.mtimeMs}`);
    return;
  }
  lines.push(`${path}/ ${link}`);
  if (depth === MOST_DEPTH) return;
  const inner = await fs.readdir(path, { withFileTypes: true }).catch(() => []);
  for (const one of inner.sort(byName)) await look(path, one, depth + 1, lines, left);
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}
