import { lstat, mkdir, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../../../core/index.js';
import { faultOfEntry, LAST_USED, sealEntry } from './cache-entry.js';
import { type CompiledFrom, cacheKey, canonicalText } from './cache-key.js';
import { DigestMemory } from './digest-memory.js';
import { openPrivateFolder, temporaryName } from './private-folder.js';

export interface ModelCacheOptions {
  /** Absolute. Made at the first build, with mode 0700. */
  readonly folder: string;
  /** Most bytes of all entries together; the least recently used go first. */
  readonly maxBytes: number;
  /** Models below this many bytes (their external data counted) load faster without: see decisions/0007. */
  readonly minModelBytes: number;
  readonly log: Log;
}

/** Folders that a build left when its process died are removed after so long. */
const ABANDONED_MS = 3600 * 1000;
/** Bytes of an entry for each of its model, at most: constants are folded, some weights kept in two layouts. */
const MOST_GROWTH = 2;
const MOST_REFUSED = 10_000;

/**
 * Compiled models on disk, one folder an entry, named for everything it was compiled from. Processes share it without
 * locks: an entry appears by one rename and never changes after; a removed one stays mapped for whoever loaded it.
 */
export class ModelCache {
  readonly minModelBytes: number;
  /** Where it lies: made at the first use. */
  get folder(): string {
    return this.#folder;
  }

  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #log: Log;
  /** Builds under way in this process, by key. */
  readonly #building = new Map<string, Promise<string | undefined>>();
  readonly #refused = new Set<string>();
  #digests: DigestMemory | undefined;

  constructor(options: ModelCacheOptions) {
    this.#folder = options.folder;
    this.#maxBytes = options.maxBytes;
    this.minModelBytes = options.minModelBytes;
    this.#log = options.log;
  }

  /** Makes the folder ready and gives the memory of digests that lies in it. Throws where the folder cannot be used. */
  async open(): Promise<DigestMemory> {
    const real = await openPrivateFolder(this.#folder);
    this.#digests ??= new DigestMemory(join(real, 'digests'));
    return this.#digests;
  }

  /** Whether a model of so many bytes may be kept at all. */
  admits(modelBytes: number): boolean {
    return modelBytes >= this.minModelBytes && modelBytes * MOST_GROWTH <= this.#maxBytes;
  }

  /** Folder of the checked entry for `from`, or undefined. A faulty one is removed. */
  async find(from: CompiledFrom): Promise<string | undefined> {
    const digests = await this.open();
    const folder = this.#folderOf(from);
    if ((await lstat(folder).catch(() => undefined)) === undefined) return undefined;
    const fault = await faultOfEntry(folder, canonicalText(from), digests);
    if (fault !== undefined) {
      // Gone meanwhile: another process removed it.
      if ((await lstat(folder).catch(() => undefined)) === undefined) return undefined;
      this.#log.warn('an entry of the model cache cannot be used and is made again', { entry: folder, fault });
      await this.discard(from);
      return undefined;
    }
    const now = new Date();
    await utimes(join(folder, LAST_USED), now, now).catch(() => {}); // Read-only: it only ages.
    return folder;
  }

  /**
   * Makes the entry for `from`: `compile` writes its files into the folder it is given. Concurrent builds of one entry in
   * this process are one; of several processes the first to finish wins. The entry's folder where this call made it, else
   * undefined. Throws what `compile` throws, and where the disk cannot hold it.
   */
  async build(
    from: CompiledFrom,
    modelBytes: number,
    compile: (folder: string) => Promise<void>,
  ): Promise<string | undefined> {
    const key = cacheKey(from);
    const underWay = this.#building.get(key);
    if (underWay !== undefined) return underWay.then(() => undefined);
    const building = this.#build(from, modelBytes, compile).finally(() => this.#building.delete(key));
    this.#building.set(key, building);
    return building;
  }

  /** Notes that compiling failed: it is not tried again by this process. */
  refuse(from: CompiledFrom): void {
    if (this.#refused.size >= MOST_REFUSED) this.#refused.clear();
    this.#refused.add(cacheKey(from));
  }

  refuses(from: CompiledFrom): boolean {
    return this.#refused.has(cacheKey(from));
  }

  /** Removes an entry; in one step, so that nobody sees half of it. */
  async discard(from: CompiledFrom): Promise<void> {
    await this.#remove(this.#folderOf(from));
  }

  async #build(
    from: CompiledFrom,
    modelBytes: number,
    compile: (folder: string) => Promise<void>,
  ): Promise<string | undefined> {
    await this.open();
    const { bavail, bsize } = await statfs(this.#folder);
    const freeBytes = bavail * bsize;
    if (freeBytes < modelBytes * MOST_GROWTH) {
      throw new Error(`${freeBytes} bytes are free where up to ${modelBytes * MOST_GROWTH} are needed`);
    }
    const temporary = join(this.#folder, temporaryName());
    await mkdir(temporary, { mode: 0o700 });
    let made: string | undefined = this.#folderOf(from);
    try {
      await compile(temporary);
      await sealEntry(temporary, canonicalText(from));
      const entryBytes = await bytesOf(temporary);
      if (entryBytes > this.#maxBytes) throw new Error(`it takes ${entryBytes} bytes, more than maxBytes`);
      await rename(temporary, made).catch((thrown) => {
        if (thrown.code !== 'ENOTEMPTY' && thrown.code !== 'EEXIST') throw thrown;
        made = undefined; // Another process was first.
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    // What could not be removed is tried again by the next build.
    await this.#sweep(cacheKey(from)).catch((cause) => this.#log.warn('the model cache cannot be tidied', { cause }));
    return made;
  }

  /** Removes what died builds left, then least recently used entries until all fit; never the one named `keep`. */
  async #sweep(keep: string): Promise<void> {
    const entries: { folder: string; bytes: number; usedMs: number; kept: boolean }[] = [];
    for (const name of await readdir(this.#folder)) {
      const folder = join(this.#folder, name);
      if (name.startsWith('.')) {
        const facts = await stat(folder).catch(() => undefined);
        if (facts !== undefined && Date.now() - facts.mtimeMs > ABANDONED_MS) await rm(folder, { recursive: true });
      } else if (/^[0-9a-f]{64}$/.test(name)) {
        const used = await stat(join(folder, LAST_USED)).catch(() => undefined);
        entries.push({ folder, bytes: await bytesOf(folder), usedMs: used?.mtimeMs ?? 0, kept: name === keep });
      }
    }
    let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const { folder, bytes } of entries.filter((entry) => !entry.kept).sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes) break;
      await this.#remove(folder);
      total -= bytes;
    }
    await this.#digests?.sweep();
  }

  async #remove(folder: string): Promise<void> {
    const temporary = join(this.#folder, temporaryName());
    await rename(folder, temporary).catch((thrown) => {
      if (thrown.code !== 'ENOENT') throw thrown;
    });
    await rm(temporary, { recursive: true, force: true });
  }

  #folderOf(from: CompiledFrom): string {
    return join(this.#folder, cacheKey(from));
  }
}

/** Bytes of the files in a folder; 0 where it is gone. */
async function bytesOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    bytes += (await lstat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
