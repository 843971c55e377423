import {
  type IndexEntry,
  type LoadParameters,
  type MemoryUse,
  type ModelControl,
  type ModelSpec,
  type ModelVersionId,
  ServingError,
  type VersionStatus,
} from '../../src/core/index.js';

/** A repository held in memory: the specs given are its ready versions; what is called on it is kept in `calls`. */
export class FakeModels implements ModelControl {
  readonly calls: { load: [string, LoadParameters][]; unload: [string, boolean][] } = { load: [], unload: [] };
  /** Rows of the index beside the ready versions. */
  notReady: IndexEntry[] = [];
  everyReady = true;
  /** What the next load or unload rejects with. */
  failure: ServingError | undefined;
  configObject: Record<string, unknown> = {};
  readonly #specs: readonly ModelSpec[];

  constructor(specs: readonly ModelSpec[]) {
    this.#specs = specs;
  }

  index(readyOnly: boolean): readonly IndexEntry[] {
    const ready = this.#specs.map(({ id }) => ({
      name: id.model,
      version: id.version,
      state: 'READY' as const,
      reason: '',
    }));
    return readyOnly ? ready : [...ready, ...this.notReady];
  }

  async load(model: string, parameters: LoadParameters): Promise<void> {
    this.calls.load.push([model, parameters]);
    if (this.failure !== undefined) throw this.failure;
  }

  async unload(model: string, unloadDependents: boolean): Promise<void> {
    this.calls.unload.push([model, unloadDependents]);
    if (this.failure !== undefined) throw this.failure;
  }

  readonly adoptedFolders = new Map<string, string>();

  async adopt(model: string, folder: string): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.adoptedFolders.set(model, folder);
  }

  adopted() {
    return [...this.adoptedFolders].map(([model, folder]) => ({ model, folder }));
  }

  spec(model: string, version: number | undefined): ModelSpec {
    const ofModel = this.#specs.filter((spec) => spec.id.model === model);
    if (ofModel.length === 0) throw new ServingError('MODEL_NOT_FOUND', `no model ${JSON.stringify(model)}`);
    const found = version === undefined ? ofModel.at(-1) : ofModel.find((spec) => spec.id.version === version);
    if (found === undefined)
      throw new ServingError('VERSION_NOT_FOUND', `no version ${version} of ${JSON.stringify(model)}`);
    return found;
  }

  /** Versions that labels stand for. */
  labels: Record<string, number> = {};

  /** Labels as they were set, by model. */
  readonly labelsSet: Record<string, Readonly<Record<string, number>>> = {};

  async setLabels(model: string, labels: Readonly<Record<string, number>>): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.labelsSet[model] = labels;
  }

  hasLabels(model: string, labels: Readonly<Record<string, number>>): boolean {
    return JSON.stringify(this.labelsSet[model] ?? {}) === JSON.stringify(labels);
  }

  labelled(model: string, label: string): number {
    this.spec(model, undefined);
    const version = this.labels[label];
    if (version === undefined) throw new ServingError('VERSION_NOT_FOUND', `no label ${JSON.stringify(label)}`);
    return version;
  }

  readyVersions(model: string): readonly number[] {
    return this.#specs.filter((spec) => spec.id.model === model).map((spec) => spec.id.version);
  }

  config(model: string, version: number | undefined): Readonly<Record<string, unknown>> {
    this.spec(model, version);
    return { name: model, ...this.configObject };
  }

  ready(model: string, version: number | undefined): boolean {
    this.spec(model, version);
    return true;
  }

  /** By the number of the version. */
  memories: Record<number, readonly MemoryUse[]> = {};

  memory({ version }: ModelVersionId): readonly MemoryUse[] {
    return this.memories[version] ?? [];
  }

  status(model: string, version: number | undefined): VersionStatus {
    this.spec(model, version);
    return {
      state: 'ready',
      reason: '',
      engine: 'native',
      providers: { CPUExecutionProvider: 1 },
      fallback: undefined,
      instances: 1,
      lanes: { idle: 2 },
      carriers: [{ device: 'cpu:0', carrier: 'sync', why: 'its config says so', runUs: 4.5 }],
    };
  }

  allReady(): boolean {
    return this.everyReady;
  }
}
