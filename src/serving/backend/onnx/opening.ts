import { stat } from 'node:fs/promises';
import path from 'node:path';
import {
  type DeviceKind,
  type InstanceGroup,
  type Log,
  type MemoryUse,
  type OpenRequest,
  ServingError,
} from '../../../core/index.js';
import { createCompiledSession } from './compiled/compiled-session.js';
import type { ModelCache } from './compiled/model-cache.js';
import { appendCuda, requireProviderFiles, unsupportedCuda } from './cuda-provider.js';
import { type GpuWait, initDevice } from './cuda-runtime.js';
import type { GpuMemory } from './gpu-memory.js';
import { heldMemory } from './held-memory.js';
import type { OrtLibrary } from './library.js';
import { countAssignedNodes, RECORD_ASSIGNMENT } from './provider-shares.js';
import { createSession, type OrtSession, releaseSession, type SessionRequest } from './session.js';
import type { SessionSettings } from './session-settings.js';
import { trimMemory } from './trim-memory.js';

/** Lanes of an instance: one fills while the other runs. */
export const LANES_PER_INSTANCE = 2;

export interface OpeningParts {
  readonly library: OrtLibrary;
  readonly request: OpenRequest;
  readonly settings: SessionSettings;
  readonly cudaOptions: Readonly<Record<string, string>>;
  readonly gpu: { readonly wait: GpuWait; readonly memory: GpuMemory };
  readonly log: Log;
  readonly cache: ModelCache | undefined;
}

export type Placement = Pick<InstanceGroup, 'device' | 'deviceId'>;

/** Where an instance runs, and the key of its session. */
interface Placed extends Placement {
  readonly key: string;
}

/** The sessions of one version while they are created, by device. */
export class Opening {
  readonly library: OrtLibrary;
  readonly request: OpenRequest;
  readonly settings: SessionSettings;
  readonly sessions = new Map<string, OrtSession>();
  readonly nodeCounts: Map<string, number>[] = [];
  /** Keys of the sessions that each instance runs on (one, or with CUDA graphs one a lane), and their device. */
  readonly instanceKeys: (readonly string[])[] = [];
  readonly placements: Placement[] = [];
  readonly #cudaOptions: Readonly<Record<string, string>>;
  readonly #log: Log;
  readonly #cache: ModelCache | undefined;
  readonly #gpu: OpeningParts['gpu'];
  /** By the key of a session: the GPU that it runs on. */
  readonly #gpus = new Map<string, number>();
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
      for (let i = 0; i < group.count; i++) {
        const lanes = this.#graphs(group)
          ? Array.from({ length: LANES_PER_INSTANCE }, (_, lane) => `#${i}.${lane}`)
          : [''];
        const placed: Placed[] = [];
        for (const lane of lanes) placed.push(await this.#sessionFor(group, lane));
        const { device, deviceId } = placed[0] as Placed;
        this.instanceKeys.push([...new Set(placed.map(({ key }) => key))]);
        this.placements.push({ device, deviceId });
      }
    }
    const own = this.instanceKeys.filter((keys) => keys.length > 1).length * LANES_PER_INSTANCE;
    if (own > 0) {
      const bytes = own * (await weightBytes(this.request));
      this.#log.info('CUDA graphs: every lane has a session, with weights of its own', {
        ...this.request.id,
        sessions: own,
        bytes,
      });
    }
    if (this.instanceKeys.length === 0) throw new ServingError('MODEL_INVALID', 'the version has no instance');
  }

  /** True where the lanes of a group have a session each. */
  #graphs(group: InstanceGroup): boolean {
    const asked = this.request.provider.binding?.cudaGraphBatchSizes !== undefined;
    if (asked && group.device !== 'cuda') {
      throw new ServingError(
        'MODEL_INVALID',
        'cuda_graph_batch_sizes: its instances are on the CPU, graphs need KIND_GPU',
      );
    }
    return asked;
  }

  /** `lane`: of a lane's own session; empty = the one session of the device. */
  async #sessionFor({ device, deviceId, count }: InstanceGroup, lane: string): Promise<Placed> {
    const key = `${device}:${deviceId}${lane}`;
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
      return this.#sessionFor({ device: 'cpu', deviceId: 0, count }, '');
    }
  }

  async #createOnGpu(deviceId: number, key: string): Promise<void> {
    requireProviderFiles(this.library);
    const { wait, memory } = this.#gpu;
    const refused = await initDevice(deviceId, wait);
    if (refused !== undefined) this.#log.warn('CUDA does not take how to wait for a GPU', { deviceId, wait, refused });
    const release = memory.reserve(deviceId, this.#cudaOptions, this.settings.sessionConfig);
    const graphs = this.request.provider.binding?.cudaGraphBatchSizes !== undefined;
    const cudaOptions = graphs ? { ...this.#cudaOptions, enable_cuda_graph: '1' } : this.#cudaOptions;
    try {
      await this.#create('cuda', key, (options) => appendCuda(this.library, options, deviceId, cudaOptions));
    } catch (error) {
      release();
      throw error;
    }
    this.#gpus.set(key, deviceId);
    this.#reservations.push(release);
  }

  /** What its sessions hold of memory now. */
  memory(): MemoryUse[] {
    return heldMemory([...this.sessions].map(([key, session]) => ({ session, gpu: this.#gpus.get(key) })));
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

/** Bytes of the model's files: what its weights take on a device, nearly. */
async function weightBytes({ modelPath, externalFiles = [] }: OpenRequest): Promise<number> {
  const files = [modelPath, ...externalFiles.map((file) => path.join(path.dirname(modelPath), file))];
  const stats = await Promise.all(files.map((file) => stat(file)));
  return stats.reduce((sum, { size }) => sum + size, 0);
}

/** A session that CUDA itself refused is the machine's fault, not the model's. */
function asCudaFailure(error: unknown): unknown {
  if (!(error instanceof ServingError) || error.reason !== 'MODEL_INVALID') return error;
  const machine = /CUDA (?:failure|error|driver)|CUDNN|CUBLAS|cudaError|no CUDA-capable device/i.test(error.message);
  return machine ? unsupportedCuda(error.message, error.cause) : error;
}

async function closeSessions(sessions: Iterable<OrtSession>): Promise<void> {
  const released = [...sessions].map(releaseSession);
  await Promise.all(released);
  if (released.length > 0) await trimMemory();
}
