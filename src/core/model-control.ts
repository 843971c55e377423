import type { CarrierUse, MemoryUse } from './backend.js';
import type { ModelSpec, ModelVersionId } from './model.js';
import type { ProtocolState } from './version-state.js';

/** One row of the repository index. `version` is undefined where no version could be told (a broken model). */
export interface IndexEntry {
  readonly name: string;
  readonly version: number | undefined;
  readonly state: ProtocolState;
  /** Why it is not ready; empty otherwise. */
  readonly reason: string;
}

/** Status of a version beyond the protocols: what runs where. */
export interface VersionStatus {
  readonly state: string;
  readonly reason: string;
  readonly engine: string;
  readonly providers: Readonly<Record<string, number>>;
  readonly fallback: string | undefined;
  readonly instances: number;
  readonly lanes: Readonly<Record<string, number>>;
  readonly carriers: readonly CarrierUse[];
}

export interface LoadParameters {
  /** A whole ModelConfig as JSON text that replaces the stored one, or undefined. */
  readonly config: string | undefined;
  /** `<version>/<file name>` to content; needs `config`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** One version, beside those that serve, which go on as they are; absent = those that the version policy names. */
  readonly version?: number | undefined;
  /**
   * A `version_policy` of a ModelConfig as JSON text, in the place of the stored one. Versions that serve and that it names go on
   * as they are; comes alone.
   */
  readonly versionPolicy?: string | undefined;
}

/** A model that was loaded from a folder of its own. */
export interface AdoptedModel {
  readonly model: string;
  /** As it was asked for. */
  readonly folder: string;
}

/** The repository as the control plane sees it. Errors: MODEL_NOT_FOUND, VERSION_NOT_FOUND, MODEL_INVALID, UNSUPPORTED, CONFLICT. */
export interface ModelControl {
  /** Every model of every repository, each version a row; `readyOnly` keeps rows in state READY. */
  index(readyOnly: boolean): readonly IndexEntry[];
  /** Loads or reloads a model; resolves when it serves. A failed reload keeps the version that served before. */
  load(model: string, parameters: LoadParameters): Promise<void>;
  /**
   * Loads a model that no repository has from a folder, which is a model's or holds one that is; resolves when it serves. A failed load
   * leaves nothing behind. ALREADY_EXISTS where the name is taken; UNSUPPORTED where the server adopts none.
   */
  adopt(model: string, folder: string): Promise<void>;
  /** Models that were adopted and not unloaded since, by name. */
  adopted(): readonly AdoptedModel[];
  /** Unloads a model, or one version of it; resolves when that is closed. */
  unload(model: string, unloadDependents: boolean, version?: number): Promise<void>;
  /** Spec of a version (highest ready one where undefined). */
  spec(model: string, version: number | undefined): ModelSpec;
  /** Versions of a model that are ready, ascending. */
  readyVersions(model: string): readonly number[];
  /** Triton's ModelConfig (JSON form, snake_case), completed. */
  config(model: string, version: number | undefined): Readonly<Record<string, unknown>>;
  /** Whether it takes requests (any version where undefined); MODEL_NOT_FOUND and VERSION_NOT_FOUND for what nobody has. */
  ready(model: string, version: number | undefined): boolean;
  status(model: string, version: number | undefined): VersionStatus;
  /** What a version holds of memory, as far as its backend measures it. */
  memory(id: ModelVersionId): readonly MemoryUse[];
  /** True where every declared version is ready. */
  allReady(): boolean;
}
