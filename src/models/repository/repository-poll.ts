import { join } from 'node:path';
import type { Clock, ClockTimer, Log } from '../../core/index.js';
import { modelNamesIn } from './folders.js';
import { type ModelPrint, modelPrint, samePrint, sameVersions } from './model-print.js';

export interface RepositoryPollOptions {
  /** Real paths of the repositories. */
  readonly roots: readonly string[];
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Loads a model as it lies there now; `unchanged`: versions whose files are those of the last load that went well. */
  readonly load: (name: string, unchanged: ReadonlySet<number>) => Promise<void>;
  readonly unload: (name: string) => Promise<void>;
}

/** A change is acted upon when the files have been the same for so long: whoever copies a model is not disturbed. */
const SETTLE_MS = 1000;

type Prints = ReadonlyMap<string, ModelPrint>;

/**
 * Follows the folders of a repository (Triton's control mode `poll`): loads models that come or change, unloads those that
 * go. A load that failed is not tried again before its files change.
 */
export class RepositoryPoll {
  readonly #options: RepositoryPollOptions;
  /** By model: its files when it was last acted upon, and at the last load that went well. */
  readonly #tried = new Map<string, ModelPrint>();
  readonly #loaded = new Map<string, ModelPrint>();
  /** Changes seen once. */
  readonly #seen = new Map<string, ModelPrint | undefined>();
  readonly #acting = new Set<string>();
  #timer: ClockTimer | undefined;
  #stopped = false;
  #unreadable = false;

  constructor(options: RepositoryPollOptions) {
    this.#options = options;
  }

  /** How all models look now. Rejects where a repository cannot be read. */
  async look(): Promise<Prints> {
    const prints = new Map<string, ModelPrint>();
    for (const root of this.#options.roots) {
      for (const name of modelNamesIn(root)) {
        const print = await modelPrint(join(root, name));
        if (print !== undefined) prints.set(name, merged(prints.get(name), print));
      }
    }
    return prints;
  }

  /** Follows what changes from `prints` on; `failed`: models whose load did not go well. */
  begin(prints: Prints, failed: ReadonlySet<string>): void {
    for (const [name, print] of prints) {
      this.#tried.set(name, print);
      if (!failed.has(name)) this.#loaded.set(name, print);
    }
    this.#wake(this.#options.everyMs);
  }

  /** For good: nothing is loaded or unloaded from now on. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.clear();
  }

  #wake(ms: number): void {
    const { clock } = this.#options;
    if (!this.#stopped) this.#timer = clock.setTimer(clock.nowNs() + ms * 1e6, () => void this.#round());
  }

  async #round(): Promise<void> {
    const { everyMs, log } = this.#options;
    try {
      const prints = await this.look();
      this.#unreadable = false;
      for (const name of new Set([...prints.keys(), ...this.#tried.keys()])) this.#follow(name, prints.get(name));
    } catch (error) {
      // A repository that is gone for a moment takes no model away.
      if (!this.#unreadable) log.error('model repository cannot be read: what serves goes on', { error });
      this.#unreadable = true;
    }
    this.#wake(this.#seen.size > 0 ? Math.min(SETTLE_MS, everyMs) : everyMs);
  }

  #follow(name: string, print: ModelPrint | undefined): void {
    if (this.#acting.has(name)) return;
    if (samePrint(print, this.#tried.get(name))) {
      this.#seen.delete(name);
    } else if (this.#seen.has(name) && samePrint(print, this.#seen.get(name))) {
      this.#seen.delete(name);
      void this.#act(name, print);
    } else this.#seen.set(name, print);
  }

  /** Never rejects: who loads and unloads tells the log and the index. */
  async #act(name: string, print: ModelPrint | undefined): Promise<void> {
    const { load, unload, log } = this.#options;
    if (this.#stopped) return;
    this.#acting.add(name);
    try {
      if (print === undefined) {
        this.#tried.delete(name);
        this.#loaded.delete(name);
        log.info('a model is gone from the repository', { model: name });
        await unload(name);
      } else {
        const loaded = this.#loaded.get(name);
        this.#tried.set(name, print);
        log.info('a model changed in the repository', { model: name });
        await load(name, loaded === undefined ? new Set() : sameVersions(loaded, print));
        this.#loaded.set(name, print);
      }
    } catch (error) {
      log.warn('the change of a model was not taken over', { model: name, error });
    } finally {
      this.#acting.delete(name);
    }
  }
}

/** Two repositories have it: a load will say so, and again when one of them changes. */
function merged(one: ModelPrint | undefined, other: ModelPrint): ModelPrint {
  return one === undefined ? other : { ...other, shared: `${one.shared}\n${other.shared}` };
}
