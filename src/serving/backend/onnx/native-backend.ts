import {
  type Backend,
  type CarrierUse,
  type Clock,
  type DeviceKind,
  type InstanceGroup,
  type Lane,
  type Log,
  type ModelSignature,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  type ProviderShares,
  ServingError,
} from '../../../core/index.js';
import { ModelCarriers } from './carrier/model-carriers.js';
import { createCompiledSession } from './compiled/compiled-session.js';
import { ModelCache, type ModelCacheOptions } from './compiled/model-cache.js';
import { readCudaOptions } from './cuda-options.js';
import { appendCuda, requireProviderFiles, unsupportedCuda } from './cuda-provider.js';
import { type GpuWait, initDevice } from './cuda-runtime.js';
import { GpuMemory } from './gpu-memory.js';
import { OnnxLane } from './lane.js';
import { loadOrtLibrary, type OrtLibrary } from './library.js';
import { countAssignedNodes, providerShares, RECORD_ASSIGNMENT } from './provider-shares.js';
import { createSession, type OrtSession, releaseSession, type SessionRequest } from './session.js';
import { readSessionSettings, type SessionSettings } from './session-settings.js';
import { readSignature } from './signature.js';
import { trimMemory } from './trim-memory.js';

export interface OnnxNativeOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Absolute path of ONNX Runtime's library; by default the one that onnxruntime-node ships. */
  readonly libraryPath?: string;
  /** Where compiled models are kept between loads; absent = nowhere. */
  readonly cache?: CacheOptions | undefined;
  /** How threads wait for a GPU; default `block`. */
  readonly gpuWait?: GpuWait;
  /** Cap of GPU memory of each device, over all sessions, in bytes; absent = none. */
  readonly gpuMemoryBytes?: number | undefined;
}

/** See `ModelCacheOptions`. */
export type CacheOptions = Omit<ModelCacheOptions, 'log'>;

/** Lanes of an instance: one fills while the other runs. */
const LANES_PER_INSTANCE = 2;

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
  return {
    name: 'onnxruntime',
    platform: 'onnxruntime_onnx',
    defaultModelFiles: ['model.onnx'],
    async open(request: OpenRequest): Promise<OpenedModel> {
      const library = loadOrtLibrary(options.libraryPath);
      const settings = readSessionSettings(request.parameters, request.graphLevel);
      const cudaOptions = readCudaOptions({ ...settings.cudaOptions, ...request.provider.options });
      const opening = new Opening({ library, request, settings, cudaOptions, gpu, log, cache });
      try {
        await opening.openSessions();
        return new OnnxModel(opening, options);
      } catch (error) {
        await opening.close();
        throw error;
      }
    },
  };
}

interface OpeningParts {
  readonly library: OrtLibrary;
  readonly request: OpenRequest;
  readonly settings: SessionSettings;
  readonly cudaOptions: Readonly<Record<string, string>>;
  readonly gpu: { readonly wait: GpuWait; readonly memory: GpuMemory };
  readonly log: Log;
  readonly cache: ModelCache | undefined;
}

/** Where an instance runs, and the key of its session. */
interface Placed {
  readonly key: string;
  readonly device: DeviceKind;
  readonly deviceId: number;
}

/** The sessions of one version while they are created, by device. */
class Opening {
  readonly library: OrtLibrary;
  readonly request: OpenRequest;
  readonly settings: SessionSettings;
  readonly sessions = new Map<string, OrtSession>();
  readonly nodeCounts: Map<string, number>[] = [];
  /** Key of the session that each instance runs on, and the device of that session. */
  readonly instanceKeys: string[] = [];
  readonly placements: Pick<InstanceGroup, 'device' | 'deviceId'>[] = [];
  readonly #cudaOptions: Readonly<Record<string, string>>;
  readonly #log: Log;
  readonly #cache: ModelCache | undefined;
  readonly #gpu: OpeningParts['gpu'];
  /** Give back the GPU memory that its sessions reserved. */
  readonly #reservations: (() => void)[] = [];
  fallback: string | undefined;

  constructor(parts: OpeningParts) {
    this.library = parts.library;
    this.request = parts.request;
    this.settings = parts.settings;
    this.#cudaOptions = parts.cudaOptions;
    this.#log = parts.log;
    this.#cache = parts.cache;
    this.#gpu = parts.gpu;
  }

  async openSessions(): Promise<void> {
    for (const group of this.request.instances) {
      const { key, ...placement } = await this.#sessionFor(group);
      for (let i = 0; i < group.count; i++) {
        this.instanceKeys.push(key);
        this.placements.push(placement);
      }
    }
    if (this.instanceKeys.length === 0) throw new ServingError('MODEL_INVALID', 'the version has no instance');
  }

  async #sessionFor({ device, deviceId, count }: InstanceGroup): Promise<Placed> {
    const key = `${device}:${deviceId}`;
    if (this.sessions.has(key)) return { key, device, deviceId };
    if (device === 'cpu') {
      await this.#create('cpu', key, () => {});
      return { key, device, deviceId };
    }
    try {
      await this.#createOnGpu(deviceId, key);
      return { key, device, deviceId };
    } catch (error) {
      const { onGpuError } = this.request.provider;
      if (!(error instanceof ServingError) || error.reason !== 'UNSUPPORTED' || onGpuError === 'fail') throw error;
      this.fallback = error.message;
      this.#log.warn('the version runs on the CPU instead of a GPU', { ...this.request.id, error });
      return this.#sessionFor({ device: 'cpu', deviceId: 0, count });
    }
  }

  async #createOnGpu(deviceId: number, key: string): Promise<void> {
    requireProviderFiles(this.library);
    const { wait, memory } = this.#gpu;
    const refused = await initDevice(deviceId, wait);
    if (refused !== undefined)
      this.#log.warn('CUDA does not take how to wait for a GPU', { device: key, wait, refused });
    const release = memory.reserve(deviceId, this.#cudaOptions, this.settings.sessionConfig);
    try {
      await this.#create('cuda', key, (options) => appendCuda(this.library, options, deviceId, this.#cudaOptions));
    } catch (error) {
      release();
      throw error;
    }
    this.#reservations.push(release);
  }

  /** Releases its sessions, after their lanes. */
  async close(): Promise<void> {
    await closeSessions(this.sessions.values());
    for (const release of this.#reservations) release();
  }

  async #create(device: DeviceKind, key: string, appendProviders: (options: number) => void): Promise<void> {
    if (this.sessions.has(key)) return;
    const { provider, modelPath } = this.request;
    const config: (readonly [string, string])[] = [RECORD_ASSIGNMENT];
    if (device === 'cuda' && provider.strict) config.push(['session.disable_cpu_ep_fallback', '1']);
    const { library, settings } = this;
    let session: OrtSession;
    try {
      session = await this.#createSession(device, {
        library,
        modelPath,
        onGpu: device === 'cuda',
        settings,
        config,
        appendProviders,
      });
    } catch (error) {
      throw device === 'cuda' ? asCudaFailure(error) : error;
    }
    this.sessions.set(key, session);
    this.nodeCounts.push(countAssignedNodes(session, device));
  }

  /** Only sessions on the CPU have compiled models: on a GPU the weights are copied to the device in any case. */
  #createSession(device: DeviceKind, session: SessionRequest): Promise<OrtSession> {
    const { externalFiles, id } = this.request;
    const cache = this.#cache;
    if (device !== 'cpu' || cache === undefined || externalFiles === undefined) return createSession(session);
    return createCompiledSession({ session, cache, externalFiles, id, log: this.#log });
  }
}

/** A session that CUDA itself refused is the machine's fault, not the model's. */
function asCudaFailure(error: unknown): unknown {
  if (!(error instanceof ServingError) || error.reason !== 'MODEL_INVALID') return error;
  const machine = /CUDA (?:failure|error|driver)|CUDNN|CUBLAS|cudaError|no CUDA-capable device/i.test(error.message);
  return machine ? unsupportedCuda(error.message, error.cause) : error;
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
  #closing: Promise<void> | undefined;

  constructor(opening: Opening, { clock, log }: OnnxNativeOptions) {
    this.#opening = opening;
    this.#clock = clock;
    const { library, request, settings } = opening;
    const { carrier: setting, intraOpThreads } = settings;
    this.#carriers = new ModelCarriers({
      library,
      setting,
      intraOpThreads,
      denormalsOff: false,
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
    const key = this.#opening.instanceKeys[instance] as string;
    const session = this.#opening.sessions.get(key);
    if (session === undefined) throw new Error(`no instance ${instance}`);
    this.#checkSpec(spec);
    const { runConfig } = this.#opening.settings;
    return new OnnxLane({ session, spec, clock: this.#clock, runConfig, carriers: this.#carriers.of(instance, key) });
  }

  carriers(): CarrierUse[] {
    return this.#carriers.uses();
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

async function closeSessions(sessions: Iterable<OrtSession>): Promise<void> {
  const released = [...sessions].map(releaseSession);
  await Promise.all(released);
  if (released.length > 0) await trimMemory();
}
