import {
  type IndexEntry,
  type MemoryUse,
  type ModelFiles,
  type ModelSpec,
  type ModelVersionId,
  type ProbeTarget,
  ServingError,
  type VersionStatus,
} from '../core/index.js';
import type { ModelLife } from './lifecycle/model-life.js';
import type { VersionLife } from './lifecycle/version-life.js';
import type { Catalogue } from './repository/catalogue.js';

/**
 * What is said of models: which there are, what serves, in which config. Where a name or version is unknown methods throw
 * MODEL_NOT_FOUND, VERSION_NOT_FOUND or VERSION_NOT_READY.
 */
export class ModelViews {
  readonly #models: ReadonlyMap<string, ModelLife>;
  /** What lies in the repositories, loaded or not. */
  readonly #catalogue: () => Catalogue;

  constructor(models: ReadonlyMap<string, ModelLife>, catalogue: () => Catalogue) {
    this.#models = models;
    this.#catalogue = catalogue;
  }

  index(readyOnly: boolean): readonly IndexEntry[] {
    const rows = [...this.#models.values()].flatMap((life) => life.rows());
    if (readyOnly) return rows.filter((row) => row.state === 'READY');
    for (const name of this.#catalogue().names()) {
      if (!this.#models.has(name)) rows.push({ name, version: undefined, state: 'UNAVAILABLE', reason: 'not loaded' });
    }
    return rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : (a.version ?? 0) - (b.version ?? 0)));
  }

  spec(model: string, version: number | undefined): ModelSpec {
    const info = this.#served(model, version).info();
    if (info === undefined) throw notReady(model, version, '');
    return info.spec;
  }

  config(model: string, version: number | undefined): Readonly<Record<string, unknown>> {
    const { config } = this.#served(model, version);
    if (config === undefined) throw notReady(model, version, '');
    return config;
  }

  /** A version that serves, to be asked past its requests, and its files. Throws VERSION_NOT_FOUND, VERSION_NOT_READY. */
  probed(model: string, version: number): { readonly target: ProbeTarget; readonly files: ModelFiles } {
    const { hosted, files, reason } = this.#served(model, version);
    if (hosted === undefined) throw notReady(model, version, reason);
    return { target: hosted, files };
  }

  readyVersions(model: string): readonly number[] {
    return (
      this.#models
        .get(model)
        ?.ready()
        .map((life) => life.id.version) ?? []
    );
  }

  ready(model: string, version: number | undefined): boolean {
    const life = this.#models.get(model);
    if (life === undefined && !this.#catalogue().has(model)) throw modelNotFound(model);
    const ready = this.readyVersions(model);
    if (version === undefined) return ready.length > 0;
    if (life !== undefined && life.version(version) === undefined) throw versionNotFound(model, version);
    return ready.includes(version);
  }

  status(model: string, version: number | undefined): VersionStatus {
    const known = this.#known(model);
    const life = version === undefined ? known.highest() : known.version(version);
    if (life !== undefined) return life.status(known.failure);
    if (version !== undefined) throw versionNotFound(model, version);
    throw notReady(model, undefined, known.failure);
  }

  memory({ model, version }: ModelVersionId): readonly MemoryUse[] {
    return this.#models.get(model)?.serving.get(version)?.info()?.memory() ?? [];
  }

  allReady(): boolean {
    return [...this.#models.values()].every((life) => life.allReady);
  }

  /** The life that answers for a version; it serves, though it may be impaired. */
  #served(model: string, version: number | undefined): VersionLife {
    const known = this.#known(model);
    if (version === undefined) {
      const highest = known.highest();
      if (highest === undefined) throw notReady(model, undefined, known.failure);
      return highest;
    }
    const serving = known.serving.get(version);
    if (serving !== undefined) return serving;
    const other = known.version(version);
    throw other === undefined ? versionNotFound(model, version) : notReady(model, version, other.reason);
  }

  #known(model: string): ModelLife {
    const life = this.#models.get(model);
    if (life !== undefined) return life;
    if (this.#catalogue().has(model)) throw notReady(model, undefined, 'not loaded');
    throw modelNotFound(model);
  }
}

function shown(model: string): string {
  return model.length > 100 ? `${model.slice(0, 100)}...` : model;
}

function modelNotFound(model: string): ServingError {
  return new ServingError('MODEL_NOT_FOUND', `Request for unknown model: '${shown(model)}' is not found`);
}

function versionNotFound(model: string, version: number): ServingError {
  return new ServingError('VERSION_NOT_FOUND', `Request for unknown model: '${model}' version ${version} is not found`);
}

function notReady(model: string, version: number | undefined, reason: string): ServingError {
  const which = version === undefined ? 'has no available versions' : `version ${version} is not at ready state`;
  return new ServingError(
    'VERSION_NOT_READY',
    `Request for unknown model: '${model}' ${which}${reason === '' ? '' : `: ${reason}`}`,
  );
}
