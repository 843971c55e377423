import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KeptText, Log, OpenRequest } from '../../../../core/index.js';
import { usableCores } from '../../../../machine/index.js';
import type { OrtLibrary } from '../library.js';
import type { SessionSettings } from '../session-settings.js';
import { type CompiledFrom, canonicalText, machineFacts, runtimeFacts, settingsFacts } from './cache-key.js';
import type { ModelCache } from './model-cache.js';
import { openPrivateFolder, writeAtomically } from './private-folder.js';

/** Folder beside the compiled models. */
const FOLDER = 'costs';

/** Files that nobody used for so long, or beyond so many, are removed. */
const FORGOTTEN_MS = 90 * 24 * 3600 * 1000;
const MOST_FILES = 1000;

/** A text is small; a larger file is not one of ours. */
const MOST_BYTES = 1024 * 1024;

export interface KeptCostsParts {
  readonly cache: ModelCache;
  readonly library: OrtLibrary;
  readonly request: OpenRequest;
  readonly settings: SessionSettings;
  readonly cudaOptions: Readonly<Record<string, string>>;
  /** Where each instance really runs. */
  readonly placements: readonly { readonly device: string; readonly deviceId: number }[];
  readonly log: Log;
}

/**
 * Where a version keeps what was learned of its executions: a file in the folder of compiled models, named for everything
 * their time depends on. Processes share it without locks: a file appears by one rename, the last one to write wins.
 */
export class KeptCosts implements KeptText {
  readonly #parts: KeptCostsParts;
  #from: Promise<string> | undefined;

  constructor(parts: KeptCostsParts) {
    this.#parts = parts;
  }

  async read(): Promise<string | undefined> {
    try {
      const path = await this.#path();
      if (((await stat(path).catch(() => undefined))?.size ?? MOST_BYTES + 1) > MOST_BYTES) return undefined;
      const { from, text } = JSON.parse(await readFile(path, 'utf8')) as { from?: unknown; text?: unknown };
      if (from !== (await this.#facts()) || typeof text !== 'string') throw new Error('it is of another version');
      const now = new Date();
      await utimes(path, now, now).catch(() => {}); // Read-only: it only ages.
      return text;
    } catch (cause) {
      this.#warn('what was kept of the time of executions cannot be read and is made again', cause);
      return undefined;
    }
  }

  async write(text: string): Promise<void> {
    try {
      const path = await this.#path();
      const folder = await openPrivateFolder(dirname(path));
      await writeAtomically(folder, nameOf(await this.#facts()), JSON.stringify({ from: await this.#facts(), text }));
      await sweep(folder);
    } catch (cause) {
      this.#warn('what was learned of the time of executions cannot be kept', cause);
    }
  }

  #warn(message: string, cause: unknown): void {
    const { log, request } = this.#parts;
    log.warn(message, { ...request.id, cause });
  }

  async #path(): Promise<string> {
    return join(this.#parts.cache.folder, FOLDER, nameOf(await this.#facts()));
  }

  #facts(): Promise<string> {
    this.#from ??= factsOf(this.#parts);
    return this.#from;
  }
}

const nameOf = (facts: string) => `${createHash('sha256').update(facts).digest('hex')}.json`;

async function factsOf(parts: KeptCostsParts): Promise<string> {
  const { cache, library, request, settings, cudaOptions, placements } = parts;
  const digests = await cache.open();
  const folder = dirname(request.modelPath);
  const external: [string, string][] = [];
  for (const name of request.externalFiles ?? []) external.push([name, await digests.digest(join(folder, name))]);
  const onGpu = placements.some(({ device }) => device === 'cuda');
  const from: CompiledFrom = {
    model: await digests.digest(request.modelPath),
    external,
    runtime: runtimeFacts(library),
    machine: machineFacts(),
    provider: placements.map(({ device, deviceId }) => `${device}:${deviceId}`).join(' '),
    settings: {
      ...settingsFacts(settings),
      cores: usableCores(),
      threadsOfAll: library.globalThreads,
      run: [...settings.runConfig],
      carrier: settings.carrier ?? null,
      binding: request.provider.binding ?? null,
      ...(onGpu ? { cuda: Object.entries(cudaOptions).sort(), gpus: gpuText() } : {}),
    },
  };
  return canonicalText(from);
}

/** Models of the GPUs and the driver's version, as the driver shows them; empty where it does not. */
function gpuText(): string {
  const root = '/proc/driver/nvidia';
  try {
    const models = readdirSync(join(root, 'gpus')).map(
      (name) => /^Model:\s*(.*)$/m.exec(readFileSync(join(root, 'gpus', name, 'information'), 'utf8'))?.[1] ?? '',
    );
    return [...models.sort(), readFileSync(join(root, 'version'), 'utf8').split('\n')[0]].join('\n');
  } catch {
    return '';
  }
}

/** Removes what nobody used for long, and what is too much. */
async function sweep(folder: string): Promise<void> {
  const files: { path: string; usedMs: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined) files.push({ path, usedMs: facts.mtimeMs });
  }
  files.sort((a, b) => b.usedMs - a.usedMs);
  for (const [index, { path, usedMs }] of files.entries())
    if (index >= MOST_FILES || Date.now() - usedMs > FORGOTTEN_MS) await rm(path, { force: true });
}
