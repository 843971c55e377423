import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { ServingError, shownText, versionOf, wrongName } from '../../core/index.js';
import type { ModelPlace } from './folders.js';

/**
 * A private folder (0700) that holds the files of a load request, in the layout of a model's folder. It lives as long as
 * someone holds it: the load itself, then each version opened from it. `release` by the last holder removes it.
 */
export class OverrideFolder {
  readonly place: ModelPlace;
  #holders = 1;

  private constructor(folder: string) {
    this.place = { root: folder, folder };
  }

  /**
   * Writes `<version>/<file name>` entries. Throws MODEL_INVALID where a key is anything else, so no key can name a place
   * outside the folder.
   */
  static async create(temporaryRoot: string, files: ReadonlyMap<string, Uint8Array>): Promise<OverrideFolder> {
    const entries = [...files].map(([key, content]) => ({ ...parseKey(key), content }));
    const made = await fs.mkdtemp(join(temporaryRoot, 'penstock-load-'));
    const folder = new OverrideFolder(await fs.realpath(made));
    try {
      for (const { version, file, content } of entries) {
        const versionFolder = join(folder.place.folder, version);
        await fs.mkdir(versionFolder, { recursive: true, mode: 0o700 });
        await fs.writeFile(join(versionFolder, file), content, { mode: 0o600, flag: 'wx' });
      }
    } catch (cause) {
      await folder.release();
      throw cause;
    }
    return folder;
  }

  hold(): void {
    this.#holders++;
  }

  async release(): Promise<void> {
    if (--this.#holders === 0) await fs.rm(this.place.folder, { recursive: true, force: true });
  }
}

function parseKey(key: string): { readonly version: string; readonly file: string } {
  const slash = key.indexOf('/');
  const version = key.slice(0, Math.max(0, slash));
  const file = key.slice(slash + 1);
  if (versionOf(version) !== undefined && wrongName(version) === undefined && wrongName(file) === undefined)
    return { version, file };
  throw new ServingError('MODEL_INVALID', `file ${shownText(key)} of the load request: expected <version>/<file name>`);
}
