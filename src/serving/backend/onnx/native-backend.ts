import {
  type Backend,
  type CarrierUse,
  type Clock,
  type KeptText,
  type Lane,
  type Log,
  type MemoryUse,
  type ModelSignature,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  type ProviderShares,
  ServingError,
} from '../../../core/index.js';
import { bindingOptions, openBoundLane } from './bound/index.js';
import { ModelCarriers } from './carrier/model-carriers.js';
import { KeptCosts } from './compiled/kept-costs.js';
import { ModelCache, type ModelCacheOptions } from './compiled/model-cache.js';
import { readCudaOptions } from './cuda-options.js';
import type { GpuWait } from './cuda-runtime.js';
import { GpuMemory } from './gpu-memory.js';
import { OnnxLane } from './lane.js';
import { loadOrtLibrary } from './library.js';
import { LANES_PER_INSTANCE, Opening, type Placement } from './opening.js';
import { providerShares } from './provider-shares.js';
import { type OrtSession, sharesThreads } from './session.js';
import { readSessionSettings } from './session-settings.js';
import { readSignature } from './signature.js';

export interface OnnxNativeOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Absolute path of ONNX Runtime's library; by default the one that onnxruntime-node ships. */
  readonly libraryPath?: string;
  /** Threads of one pool that models share which name no thread counts of their own; default 0 = every model has its own. */
  readonly globalThreads?: number;
  /** Where compiled models are kept between loads; absent = nowhere. */
  readonly cache?: CacheOptions | undefined;
  /** How threads wait for a GPU; default `block`. */
  readonly gpuWait?: GpuWait;
  /** Cap of GPU memory of each device, over all sessions, in bytes; absent = none. */
  readonly gpuMemoryBytes?: number | undefined;
}

/** See `ModelCacheOptions`. */
export type CacheOptions = Omit<ModelCacheOptions, 'log'>;

/**
 * ONNX models by ONNX Runtime's C API, called through koffi. One session a version and device holds the weights, however
 * many instances run on it; runs are carried by libuv threads. `open` throws `MODEL_INVALID` (the file, its options) and
 * `UNSUPPORTED` (this machine cannot: no library for it, no CUDA provider).
 */
export function onnxNativeBackend(options: OnnxNativeOptions): Backend {
  const { log } = options;
  const cache = options.cache && new ModelCache({ ...options.cache, log });
  const gpu = {
    wait: options.gpuWait ?? 'block',
    memory: new GpuMemory(options.gpuMemoryBytes ?? Number.POSITIVE_INFINITY),
  };
  const keptCosts = ({ request, library, settings, placements }: Opening): KeptText | undefined => {
    if (cache === undefined || request.externalFiles === undefined) return undefined;
    const cudaOptions = { ...settings.cudaOptions, ...request.provider.options };
    return new KeptCosts({ cache, library, request, settings, cudaOptions, placements, log });
  };
  return {
    name: 'onnxruntime',
    platform: 'onnxruntime_onnx',
    defaultModelFiles: ['model.onnx'],
    async open(request: OpenRequest): Promise<OpenedModel> {
      const library = loadOrtLibrary(options.libraryPath, options.globalThreads);
      const settings = readSessionSettings(request.parameters, request.graphLevel);
      const cudaOptions = readCudaOptions({ ...settings.cudaOptions, ...request.provider.options });
      const opening = new Opening({ library, request, settings, cudaOptions, gpu, log, cache });
      try {
        await opening.openSessions();
        return new OnnxModel(opening, options, keptCosts(opening));
      } catch (error) {
        await opening.close();
        throw error;
      }
    },
  };
}

class OnnxModel implements OpenedModel {
  readonly signature: Required<ModelSignature>;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
  readonly lanesPerInstance = LANES_PER_INSTANCE;
  readonly placements: NonNullable<OpenedModel['placements']>;
  readonly #opening: Opening;
  readonly #clock: Clock;
  readonly #carriers: ModelCarriers;
  readonly kept: KeptText | undefined;
  #closing: Promise<void> | undefined;

  constructor(opening: Opening, { clock, log }: OnnxNativeOptions, kept: KeptText | undefined) {
    this.#opening = opening;
    this.kept = kept;
    this.#clock = clock;
    const { library, request, settings } = opening;
    const { carrier: setting, denormalsOff } = settings;
    const intraOpThreads = sharesThreads(library, settings) ? library.globalThreads : settings.intraOpThreads;
    this.#carriers = new ModelCarriers({
      library,
      setting,
      intraOpThreads,
      denormalsOff,
      id: request.id,
      clock,
      log,
    });
    const [first] = opening.sessions.values();
    this.signature = readSignature(opening.library, (first as OrtSession).address);
    this.providers = providerShares(opening.nodeCounts);
    this.fallback = opening.fallback;
    this.placements = opening.placements;
  }

  async createLane(spec: ModelSpec, instance: number): Promise<Lane> {
    if (this.#closing !== undefined) throw new Error('the model is closed');
    const { sessions, instanceKeys, placements, request } = this.#opening;
    const own = (instanceKeys[instance] ?? []).map((key) => sessions.get(key) as OrtSession);
    // With a session for each lane: one that has none.
    const session = own.length > 1 ? own.find(({ lanes }) => lanes.size === 0) : own[0];
    if (session === undefined) throw new Error(`no session for a lane of instance ${instance}`);
    this.#checkSpec(spec);
    const { binding } = request.provider;
    const placement = placements[instance] as Placement;
    const { runConfig } = this.#opening.settings;
    if (binding?.ioBinding === true) {
      return openBoundLane({
        ...bindingOptions(binding, placement, spec),
        session,
        spec,
        clock: this.#clock,
        runConfig,
      });
    }
    const device = `${placement.device}:${placement.deviceId}`;
    return new OnnxLane({
      session,
      spec,
      clock: this.#clock,
      runConfig,
      carriers: this.#carriers.of(instance, device),
    });
  }

  carriers(): CarrierUse[] {
    return this.#carriers.uses();
  }

  memory(): MemoryUse[] {
    return this.#closing === undefined ? this.#opening.memory() : [];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const sessions = [...this.#opening.sessions.values()];
    // A thread ends when its last run has; a session is released after its last run.
    await Promise.all(sessions.flatMap(({ lanes }) => [...lanes].map((lane) => lane.close())));
    await this.#carriers.close();
    await this.#opening.close();
  }

  /** Names and data types must be the file's: with another data type ONNX Runtime would read past a buffer. */
  #checkSpec(spec: ModelSpec): void {
    const { inputs, outputs, overridable } = this.signature;
    const sides = [
      ['input', spec.inputs, [...inputs, ...overridable]],
      ['output', spec.outputs, outputs],
    ] as const;
    for (const [side, wanted, declared] of sides) {
      for (const tensor of wanted) {
        const match = declared.find((candidate) => candidate.name === tensor.name);
        const found = match === undefined ? 'none of that name' : (match.dataType ?? match.foreignType);
        if (match?.dataType === tensor.dataType) continue;
        throw new ServingError(
          'MODEL_INVALID',
          `${side} '${tensor.name}': the config says ${tensor.dataType}, the model has ${found}`,
        );
      }
    }
  }
}
