import { type Dirent, promises as fs } from 'node:fs';
import type { ModelFiles } from '../../core/index.js';
import { containedPath, readContained, unreadable } from './contained-path.js';
import type { ModelPlace } from './folders.js';

/** The files of the model `name`, none outside its repository. */
export function modelFiles({ root, folder }: ModelPlace, name: string): ModelFiles {
  return {
    async list(path) {
      const shown = `${name}/${path}`;
      try {
        await fs.lstat(`${folder}/${path}`);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw unreadable(shown, cause);
      }
      const { path: real, stats } = await containedPath(root, folder, path, shown);
      if (!stats.isDirectory()) return undefined;
      const entries = await fs.readdir(real, { withFileTypes: true });
      const described = await Promise.all(
        entries.map(async (entry) => ({ name: entry.name, folder: await isFolder(entry, root, real, shown) })),
      );
      return described.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    read: (path, mostBytes) => readContained(root, folder, path, `${name}/${path}`, mostBytes),
    locate: async (path) => (await containedPath(root, folder, path, `${name}/${path}`)).path,
  };
}

async function isFolder(entry: Dirent, root: string, folder: string, shown: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return (await containedPath(root, folder, entry.name, `${shown}/${entry.name}`)).stats.isDirectory();
}
