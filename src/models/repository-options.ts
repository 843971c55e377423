import type { Backend, Clock, Log, ModelVersionId, ProviderPolicy, VersionGate, VersionHost } from '../core/index.js';
import type { VersionInfo } from './lifecycle/version-life.js';
import type { Engine } from './repository/backend-choice.js';
import type { InspectTokenizer } from './repository/tokenizer-file.js';

export interface ModelRepositoryOptions {
  /** Repository folders in Triton's layout, `NAME/VERSION/model.onnx`. */
  readonly folders: readonly string[];
  /**
   * `none`: everything found is loaded at the start, and nothing later. `explicit`: `loadModels`, then on request. `poll`:
   * everything found, and what changes in the folders from then on.
   */
  readonly controlMode: 'none' | 'explicit' | 'poll';
  /** In mode `poll`, how often the folders are looked at; default 15,000. */
  readonly pollMs?: number;
  /** Names to load at the start in mode `explicit`; `*` = all found. */
  readonly loadModels: readonly string[];
  /** Versions to serve of a model, by its name, in the place of those that its version policy names. */
  readonly versions?: ReadonlyMap<string, readonly number[]>;
  readonly backends: readonly Backend[];
  readonly host: VersionHost;
  /** What versions have to show before they serve; default: nothing. */
  readonly gate?: VersionGate;
  readonly clock: Clock;
  readonly log: Log;
  /** Engine where a config names none and both are there; default `native`. */
  readonly engine?: Engine;
  /** CUDA devices of GPU instances whose config names none; default [0]. */
  readonly gpus?: readonly number[];
  /** Where a model's config has no provider policy. `device` is that of `KIND_AUTO`; default: CPU, fail, not strict. */
  readonly provider?: {
    readonly device?: 'cpu' | 'cuda' | undefined;
    readonly onGpuError: ProviderPolicy['onGpuError'];
    readonly strict: boolean;
  };
  /** Parameters by backend name; a model's own win. `default-max-batch-size` (4) is read here, as Triton's. */
  readonly backendDefaults?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Default 0: no limit. */
  readonly maxExecutionMs?: number;
  /** Where a model's config has no `slo_ms`; default 0: none. */
  readonly sloMs?: number;
  /** Of versions that plan by the time of their executions and whose config has no `cost_sweep_ms`; default 0: none. */
  readonly costSweepMs?: number;
  /** False: configs must be whole (Triton's --disable-auto-complete-config); default true. */
  readonly autoComplete?: boolean;
  /** Loads tokenizers of models of texts, off this thread; default: texts are not served. */
  readonly inspectTokenizer?: InspectTokenizer;
  /** Versions that load at once; default 4, as Triton's `--model-load-thread-count`. */
  readonly loadThreads?: number;
  /** How often a version that fails to load is tried again; default 0. */
  readonly loadRetries?: number;
  /** Where models lie that are adopted; default: none are. */
  readonly adoptFrom?: string | undefined;
  /** Models that have `configs/NAME.pbtxt` are served by it; default: by the config in their folder. */
  readonly configName?: string | undefined;
  /** How long a version that is replaced or unloaded may drain; default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Where files of load requests are written; default the system's folder for temporary files. */
  readonly temporaryRoot?: string;
  /** A version was published, or became impaired or ready again. Must not throw. */
  readonly onVersionReady?: (id: ModelVersionId, info: VersionInfo) => void;
  /** A version that served was replaced by a new load of itself; `onVersionReady` follows. Must not throw. */
  readonly onVersionReloaded?: (id: ModelVersionId) => void;
  /** A version left, or failed to load, and is closed; none of its id serves. Must not throw. */
  readonly onVersionGone?: (id: ModelVersionId) => void;
}
