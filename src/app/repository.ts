import type { ServerConfig } from '../config/index.js';
import type { Clock, Log, Offload, VersionGate, VersionHost } from '../core/index.js';
import { ModelRepository, type ModelRepositoryOptions } from '../models/index.js';
import { availableBackends } from './backends.js';
import { defaultDevice } from './default-device.js';
import { modelCacheOptions } from './model-cache.js';

export interface RepositoryParts {
  /** Gets every version that is opened. */
  readonly host: VersionHost;
  /** Default: versions have to show nothing. */
  readonly gate?: VersionGate;
  /** Default: models of texts are only their tensors. */
  readonly offload?: Offload;
  readonly clock: Clock;
  readonly log: Log;
  readonly surroundings: {
    readonly cwd: string;
    readonly xdgCacheHome: string | undefined;
    readonly versions?: ReadonlyMap<string, readonly number[]>;
  };
}

/** The models of a configuration on the backends of this machine. Nothing is loaded before its `start`. */
export function openRepository(
  config: ServerConfig,
  { host, gate, offload, clock, log, surroundings }: RepositoryParts,
  told: Pick<ModelRepositoryOptions, 'onVersionReady' | 'onVersionReloaded' | 'onVersionGone'> = {},
): ModelRepository {
  return new ModelRepository({
    folders: config.repositories,
    controlMode: config.modelControlMode,
    pollMs: config.repositoryPollSecs * 1000,
    loadModels: config.loadModels,
    ...(surroundings.versions === undefined ? {} : { versions: surroundings.versions }),
    engine: config.engine,
    provider: { ...config.provider, device: config.provider.device ?? defaultDevice() },
    backendDefaults: config.backends,
    autoComplete: config.autoCompleteConfig,
    maxExecutionMs: config.maxExecutionMs,
    sloMs: config.sloMs,
    costSweepMs: config.costs.sweepMs,
    loadThreads: config.modelLoadThreads,
    loadRetries: config.modelLoadRetries,
    configName: config.modelConfigName,
    adoptFrom:
      config.sagemaker.enabled && config.sagemaker.multiModel === true ? config.sagemaker.modelsFolder : undefined,
    drainTimeoutMs: config.exitTimeoutSecs * 1000,
    backends: availableBackends({
      log,
      clock,
      cache: modelCacheOptions(config.cache, surroundings),
      globalThreads: config.globalThreadPool,
      gpu: config.provider,
    }),
    host,
    ...(gate === undefined ? {} : { gate }),
    ...(offload === undefined
      ? {}
      : { inspectTokenizer: (tokenizer) => offload.run('inspectTokenizer', { tokenizer }) }),
    clock,
    log,
    ...told,
  });
}
