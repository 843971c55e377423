import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Log } from '../../core/index.js';
import { modelNamesIn, repositoryRoot } from './folders.js';

/** A listing is asked for by anyone who reads the index: the disk is looked at no more often than this. */
const FRESH_NS = 1e9;

/** The names of all models there are, loaded or not: a listing of the repositories, at most a second old. */
export class Catalogue {
  /** Real paths of the repositories. */
  readonly roots: readonly string[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refused = new Set<string>();
  #names: ReadonlySet<string> = new Set();
  #listedNs = Number.NEGATIVE_INFINITY;

  constructor(roots: readonly string[], clock: Clock, log: Log) {
    this.roots = roots;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects with MODEL_INVALID where a repository cannot be read. */
  static async open(folders: readonly string[], clock: Clock, log: Log): Promise<Catalogue> {
    const roots = new Set<string>();
    for (const folder of folders) roots.add(await repositoryRoot(folder));
    return new Catalogue([...roots], clock, log);
  }

  /** Names in order. Cost: one directory listing a repository, at most once a second. */
  names(): readonly string[] {
    return [...this.#listed()].sort();
  }

  /** True where the listing has this name. */
  has(name: string): boolean {
    return this.#listed().has(name);
  }

  /** True where a repository has a folder of this name now, however old the listing is. `name` is a checked name. */
  async look(name: string): Promise<boolean> {
    for (const root of this.roots) {
      const stats = await fs.stat(join(root, name)).catch(() => undefined);
      if (stats?.isDirectory()) return true;
    }
    return false;
  }

  #listed(): ReadonlySet<string> {
    const nowNs = this.#clock.nowNs();
    if (nowNs - this.#listedNs < FRESH_NS) return this.#names;
    const names = new Set<string>();
    for (const root of this.roots) {
      try {
        for (const name of modelNamesIn(root, (bad, why) => this.#refuse(bad, why))) names.add(name);
      } catch (error) {
        this.#log.error('model repository cannot be listed', { root, error });
      }
    }
    this.#names = names;
    this.#listedNs = nowNs;
    return names;
  }

  /** Each bad name is told once. */
  #refuse(name: string, why: string): void {
    if (this.#refused.has(name)) return;
    this.#refused.add(name);
    this.#log.warn('folder passed over: its name cannot name a model', { name, why });
  }
}
