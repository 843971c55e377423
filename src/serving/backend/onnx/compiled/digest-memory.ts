import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestFile, type FileIdentity, identityOf, isSettled, sameFile } from './file-digest.js';
import { openPrivateFolder, writeAtomically } from './private-folder.js';

interface Remembered {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly sha256: string;
  /** Wall clock when the file was read. */
  readonly readAtMs: number;
}

/** A file is read again after so long even where nothing wrote it: disks rot without telling. */
const TRUSTED_MS = 30 * 24 * 3600 * 1000;

/**
 * SHA-256 of files, remembered in a folder as long as a file is the very one that was read (`FileIdentity`): hashing a
 * 90 MB model costs twice what loading its compiled form does. Nothing is remembered of a file that was written in the
 * last seconds before it was read.
 */
export class DigestMemory {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Hexadecimal SHA-256 of the file's content. Throws where it cannot be read, or was written meanwhile. */
  async digest(path: string): Promise<string> {
    const name = `${createHash('sha256').update(path).digest('hex')}.json`;
    const known = await this.#recall(name);
    const now = Date.now();
    if (known !== undefined && known.path === path && now >= known.readAtMs && now - known.readAtMs < TRUSTED_MS) {
      if (sameFile(known.identity, await identityOf(path))) return known.sha256;
    }
    const { identity, sha256 } = await digestFile(path);
    if (isSettled(identity, now)) await this.#remember(name, { path, identity, sha256, readAtMs: now });
    return sha256;
  }

  /** Forgets files that are gone. */
  async sweep(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    for (const name of names) {
      const known = await this.#recall(name);
      const there = known !== undefined && (await identityOf(known.path).catch(() => undefined)) !== undefined;
      if (!there) await rm(join(this.#folder, name), { force: true });
    }
  }

  async #recall(name: string): Promise<Remembered | undefined> {
    try {
      const value = JSON.parse(await readFile(join(this.#folder, name), 'utf8')) as Partial<Remembered> | null;
      const whole =
        typeof value?.path === 'string' &&
        typeof value.sha256 === 'string' &&
        typeof value.readAtMs === 'number' &&
        typeof value.identity === 'object' &&
        value.identity !== null;
      return whole ? (value as Remembered) : undefined;
    } catch {
      return undefined; // Not there, or half written: the file itself is read.
    }
  }

  async #remember(name: string, what: Remembered): Promise<void> {
    try {
      await openPrivateFolder(this.#folder);
      await writeAtomically(this.#folder, name, JSON.stringify(what));
    } catch {
      // A read-only or full disk: the file is read again next time.
    }
  }
}
