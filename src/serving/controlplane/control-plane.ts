import {
  type AdoptedModel,
  checkModelName,
  type FeedbackIntake,
  type LatencySource,
  type LogControl,
  type MemoryRegions,
  type ModelControl,
  type ModelSpec,
  type ModelVersionId,
  type RouteControl,
  type SchedulerSource,
  ServingError,
  type SloSource,
  type StatisticsSource,
  type TensorSpec,
  type TraceControl,
} from '../../core/index.js';
import type { Authority, Caller } from './authority.js';
import { type FeedbackReport, takeFeedback } from './feedback-items.js';
import { latencyObject, sketchForm } from './latency-object.js';
import { parametersOfLoad, parseUnloadParameters, type RepositoryParameters } from './load-parameters.js';
import { changeLogSettings, type LogSettingsObject, logSettingsObject, type SettingValues } from './log-settings.js';
import type {
  IndexRow,
  ModelLatency,
  ModelMetadata,
  ModelScheduler,
  ModelStatistics,
  ModelStatus,
  ServerMetadata,
  SloReport,
  TensorMetadata,
} from './protocol-objects.js';
import { schedulerObject } from './scheduler-object.js';
import { noCudaMemory, regionObject, regionOf, type SharedMemoryRegion } from './shared-memory.js';
import { sloReport } from './slo-object.js';
import { statisticsObject } from './statistics.js';
import { type TraceSettingsObject, traceChanges, traceSettingsObject } from './trace-settings.js';

export interface ControlPlaneOptions {
  readonly models: ModelControl;
  readonly routes: Pick<RouteControl, 'setLabels' | 'hasLabels'>;
  readonly statistics: StatisticsSource;
  readonly schedulers: SchedulerSource;
  readonly latencies: LatencySource;
  readonly slos: SloSource;
  readonly feedback: FeedbackIntake;
  /** Resolves when other threads have told what they answered until now; absent: there are none. */
  readonly answersTold?: () => Promise<void>;
  /** The process's own state: alive at all, and taking requests (state `serving`). */
  readonly process: { live(): boolean; ready(): boolean };
  /** Ready only when every declared version is. */
  readonly strictReadiness: boolean;
  readonly serverName: string;
  readonly version: string;
  readonly authority: Authority;
  readonly logging: LogControl;
  readonly tracing: TraceControl;
  readonly memory: MemoryRegions;
  /** Whether clients may register memory at all. */
  readonly sharedMemory: boolean;
}

/** The extensions of the protocol that are really served, by the names the protocol gives them. */
const EXTENSIONS = [
  'binary_tensor_data',
  'classification',
  'logging',
  'model_repository',
  'model_configuration',
  'parameters',
  'schedule_policy',
  'sequence',
  'sequence(string_id)',
  'statistics',
  'trace',
] as const;

/**
 * Every call that is not an inference, once for all transports. Answers are plain objects in the shape of the REST
 * protocol; errors are `ServingError`s of the ports or MALFORMED_REQUEST for a bad name.
 */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #serverMetadata: ServerMetadata;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#serverMetadata = Object.freeze({
      name: options.serverName,
      version: options.version,
      extensions: options.sharedMemory ? [...EXTENSIONS, 'system_shared_memory'].sort() : EXTENSIONS,
    });
  }

  serverMetadata(): ServerMetadata {
    return this.#serverMetadata;
  }

  live(): { readonly live: boolean } {
    return { live: this.#options.process.live() };
  }

  /** Serving and, with strict readiness, every declared version ready. */
  ready(): { readonly ready: boolean } {
    const { process, strictReadiness, models } = this.#options;
    return { ready: process.ready() && (!strictReadiness || models.allReady()) };
  }

  /** Name, versions that serve, inputs and outputs; of the highest ready version where none is named. */
  modelMetadata(model: string, version: number | undefined): ModelMetadata {
    const { models } = this.#options;
    const spec = models.spec(checkModelName(model), version);
    return {
      name: model,
      versions: models.readyVersions(model).map(String),
      platform: spec.platform,
      inputs: spec.inputs.map((tensor) => tensorMetadata(tensor, spec)),
      outputs: spec.outputs.map((tensor) => tensorMetadata(tensor, spec)),
    };
  }

  modelReady(model: string, version: number | undefined): { readonly name: string; readonly ready: boolean } {
    return { name: model, ready: this.#options.models.ready(checkModelName(model), version) };
  }

  /** Triton's ModelConfig in its JSON form, completed. */
  modelConfig(model: string, version: number | undefined): Readonly<Record<string, unknown>> {
    return this.#options.models.config(checkModelName(model), version);
  }

  /** Figures of one version, of all ready versions of a model, or (no model) of everything that is ready. */
  modelStatistics(
    model: string | undefined,
    version: number | undefined,
  ): { readonly model_stats: readonly ModelStatistics[] } {
    if (model === undefined && version !== undefined) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `statistics of version ${version} were asked for without the name of a model`,
      );
    }
    const { models, statistics } = this.#options;
    const of = (id: ModelVersionId) => statisticsObject(id, statistics.statistics(id), models.memory(id));
    return { model_stats: this.#versions(model, version).map(of) };
  }

  repositoryIndex(filter: { readonly ready: boolean }): readonly IndexRow[] {
    return this.#options.models.index(filter.ready).map((entry) => ({
      name: entry.name,
      ...(entry.version === undefined ? {} : { version: String(entry.version) }),
      state: entry.state,
      ...(entry.reason === '' ? {} : { reason: entry.reason }),
    }));
  }

  /** Loads or reloads; resolves when the model serves. Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async repositoryLoad(model: string, parameters: RepositoryParameters, caller: Caller): Promise<void> {
    const { authority, models } = this.#options;
    await authority.change('repositoryLoad', model, caller, () =>
      models.load(checkModelName(model), parametersOfLoad(model, parameters)),
    );
  }

  /** Unloads; resolves when the model takes no more requests. Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async repositoryUnload(model: string, parameters: RepositoryParameters, caller: Caller): Promise<void> {
    const { authority, models } = this.#options;
    await authority.change('repositoryUnload', model, caller, () => {
      const { unloadDependents, version } = parseUnloadParameters(parameters);
      return models.unload(checkModelName(model), unloadDependents, version);
    });
  }

  /** Loads a model from a folder of its own (`ModelControl.adopt`). Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async adoptModel(model: string, folder: string, caller: Caller): Promise<void> {
    const { authority, models } = this.#options;
    await authority.change('adoptModel', model, caller, () => models.adopt(checkModelName(model), folder));
  }

  adoptedModels(): readonly AdoptedModel[] {
    return this.#options.models.adopted();
  }

  /**
   * Labels of versions, over those of the model's routes (`RouteControl.setLabels`); resolves when all threads route by them.
   * Rejects with UNAUTHENTICATED or FORBIDDEN before anything else.
   */
  async setVersionLabels(model: string, labels: Readonly<Record<string, number>>, caller: Caller): Promise<void> {
    const { authority, routes } = this.#options;
    authority.check('setVersionLabels', caller, model);
    if (routes.hasLabels(checkModelName(model), labels)) return;
    await authority.change('setVersionLabels', model, caller, (who) => routes.setLabels(model, labels, who));
  }

  /**
   * Beyond the protocols: what was learned of predictions after they were made, as JSON or NDJSON (`takeFeedback`). Rejects
   * with UNAUTHENTICATED or FORBIDDEN before anything else.
   */
  async feedback(text: string, caller: Caller): Promise<FeedbackReport> {
    this.#options.authority.check('feedback', caller);
    await this.#options.answersTold?.();
    return takeFeedback(text, this.#options.feedback);
  }

  /** What the log writes. */
  logSettings(): LogSettingsObject {
    return logSettingsObject(this.#options.logging);
  }

  /** Changes what is named, and gives what is in force. Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async setLogSettings(values: SettingValues, caller: Caller): Promise<LogSettingsObject> {
    const { authority, logging } = this.#options;
    await authority.change('setLogSettings', '', caller, () => changeLogSettings(logging, values));
    return logSettingsObject(logging);
  }

  /** Triton's trace settings, in force for a model, or for all that have none of their own. */
  traceSettings(model: string | undefined): TraceSettingsObject {
    return traceSettingsObject(this.#options.tracing.settings(this.#traced(model)));
  }

  /** Changes what is named, and gives what is in force. Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async setTraceSettings(
    model: string | undefined,
    values: SettingValues,
    caller: Caller,
  ): Promise<TraceSettingsObject> {
    const { authority, tracing } = this.#options;
    await authority.change('setTraceSettings', model ?? '', caller, () =>
      tracing.change(this.#traced(model), traceChanges(values)),
    );
    return this.traceSettings(model);
  }

  /** Throws for a model that does not serve. */
  #traced(model: string | undefined): string | undefined {
    return model === undefined ? undefined : this.#options.models.spec(checkModelName(model), undefined).id.model;
  }

  /** Memory that clients have registered; all of it where no name is given. */
  sharedMemoryStatus(name: string): readonly SharedMemoryRegion[] {
    return this.#options.memory.list(name === '' ? undefined : name).map(regionObject);
  }

  /** Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async sharedMemoryRegister(name: string, region: Readonly<Record<string, unknown>>, caller: Caller): Promise<void> {
    this.#options.authority.check('sharedMemoryRegister', caller, name);
    this.#options.memory.register(regionOf(name, region));
  }

  /** All of it where no name is given. Rejects with UNAUTHENTICATED or FORBIDDEN before anything else. */
  async sharedMemoryUnregister(name: string, caller: Caller): Promise<void> {
    this.#options.authority.check('sharedMemoryUnregister', caller, name);
    this.#options.memory.unregister(name === '' ? undefined : name);
  }

  /** Of CUDA memory there is none. */
  cudaMemoryStatus(): readonly never[] {
    return [];
  }

  /** Always rejects with UNSUPPORTED. */
  async cudaMemoryRegister(): Promise<never> {
    throw noCudaMemory();
  }

  /** There is none to take back: clients that begin with that go on. */
  cudaMemoryUnregister(): void {}

  /** Beyond the protocols: what runs the version, where, and its lanes by state. */
  modelStatus(model: string, version: number | undefined): ModelStatus {
    const { fallback, carriers, ...status } = this.#options.models.status(checkModelName(model), version);
    return {
      name: model,
      ...(version === undefined ? {} : { version: String(version) }),
      ...status,
      carriers: carriers.map(({ runUs, ...use }) => ({ ...use, run_us: runUs })),
      ...(fallback === undefined ? {} : { fallback }),
    };
  }

  /** Beyond the protocols: the cost curve of a version, the policy in force, its last decisions, why an instance idles. */
  modelScheduler(model: string, version: number | undefined): ModelScheduler {
    const { models, schedulers } = this.#options;
    const { id } = models.spec(checkModelName(model), version);
    const found = schedulers.scheduler(id.model, id.version);
    if (found === undefined)
      throw new ServingError('VERSION_NOT_READY', `model '${id.model}' version ${id.version} takes no requests now`);
    return schedulerObject(id, found);
  }

  /**
   * Beyond the protocols: how long the requests of a version took, or of all ready ones of a model; `form`: with the sketch that
   * replicas' are merged with, `json` or `protobuf`.
   */
  modelLatency(model: string, version: number | undefined, form = ''): ModelLatency {
    const { latencies } = this.#options;
    const sketch = sketchForm(form);
    const versions = this.#versions(checkModelName(model), version).map((id) =>
      latencyObject(id, latencies.latency(id), sketch),
    );
    return { name: model, versions };
  }

  /** Beyond the protocols: how every SLO stands, as far back as this process knows. */
  sloStatus(): SloReport {
    return sloReport(this.#options.slos);
  }

  #versions(model: string | undefined, version: number | undefined): ModelVersionId[] {
    const { models } = this.#options;
    if (model === undefined) {
      return models
        .index(true)
        .flatMap((entry) => (entry.version === undefined ? [] : [{ model: entry.name, version: entry.version }]));
    }
    // The spec throws the right error for a model or version that is unknown or not ready.
    const named = models.spec(checkModelName(model), version);
    return version === undefined ? models.readyVersions(model).map((ready) => ({ model, version: ready })) : [named.id];
  }
}

function tensorMetadata(tensor: TensorSpec, spec: ModelSpec): TensorMetadata {
  const shape = spec.maxBatchSize > 0 ? [-1, ...tensor.dims] : tensor.dims;
  return { name: tensor.name, datatype: tensor.dataType, shape };
}
