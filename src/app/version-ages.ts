import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type ModelVersionId, versionKey } from '../core/index.js';

/** Files of a version that are looked at; those beyond say little of its age. */
const MOST_FILES = 1000;

/** When the files of versions were written. */
export class VersionAges {
  readonly #repositories: readonly string[];
  readonly #written = new Map<string, number>();

  /** Folders of models, or single files. */
  constructor(repositories: readonly string[]) {
    this.#repositories = repositories;
  }

  /** A version was loaded: its files may be others than before. Never rejects. */
  async look(id: ModelVersionId): Promise<void> {
    const times = await Promise.all(this.#repositories.map((root) => newest(root, id)));
    const known = times.filter((time) => time !== undefined);
    if (known.length > 0) this.#written.set(versionKey(id), Math.max(...known));
  }

  /** Of its newest file, by the wall clock; undefined where there is none to be seen (a model that came with its load). */
  writtenMs(id: ModelVersionId): number | undefined {
    return this.#written.get(versionKey(id));
  }

  forget(id: ModelVersionId): void {
    this.#written.delete(versionKey(id));
  }
}

async function newest(root: string, { model, version }: ModelVersionId): Promise<number | undefined> {
  try {
    if ((await stat(root)).isFile())
      return basename(root).startsWith(`${model}.`) ? (await stat(root)).mtimeMs : undefined;
    const folder = join(root, model, String(version));
    const files = (await readdir(folder, { recursive: true })).slice(0, MOST_FILES);
    const found = await Promise.all(files.map((file) => stat(join(folder, file))));
    const times = found.filter((one) => one.isFile()).map(({ mtimeMs }) => mtimeMs);
    return times.length === 0 ? undefined : Math.max(...times);
  } catch {
    return undefined; // of another repository, or gone
  }
}
