import { tmpdir } from 'node:os';
import {
  type AdoptedModel,
  checkModelName,
  type IndexEntry,
  type LoadParameters,
  type MemoryUse,
  type ModelControl,
  type ModelSpec,
  type ModelVersionId,
  ServingError,
  toServingError,
  type VersionGate,
  type VersionStatus,
} from '../core/index.js';
import { ensembleStepsOf, isEnsemble } from './completion/ensemble-steps.js';
import { Dependents } from './lifecycle/dependents.js';
import { ModelLife, type ModelSurroundings } from './lifecycle/model-life.js';
import { Preparation } from './lifecycle/preparation.js';
import { LoadSlots } from './lifecycle/turns.js';
import { ModelViews } from './model-views.js';
import { familiesOf } from './repository/backend-choice.js';
import { Catalogue } from './repository/catalogue.js';
import { findSource, type ModelSource, type SourcePlaces } from './repository/model-source.js';
import { RepositoryPoll } from './repository/repository-poll.js';
import type { ModelRepositoryOptions } from './repository-options.js';

const OPEN_GATE: VersionGate = { beforeOpening: async () => {}, beforeServing: async () => {} };
const NO_PARAMETERS: LoadParameters = { config: undefined, files: new Map() };

/**
 * The models of one or several repositories: finds them, completes their configs, opens and warms their versions, hands
 * them to the data path and takes them back. Operations on one model run one after another; models load side by side.
 */
export class ModelRepository implements ModelControl {
  readonly #options: ModelRepositoryOptions;
  readonly #around: ModelSurroundings;
  readonly #models = new Map<string, ModelLife>();
  readonly #dependents = new Dependents();
  /** Folders of models that no repository has. */
  readonly #adopted = new Map<string, string>();
  #places: SourcePlaces;
  #catalogue: Catalogue;
  readonly #views = new ModelViews(this.#models, () => this.#catalogue);
  #poll: RepositoryPoll | undefined;
  #draining = false;

  constructor(options: ModelRepositoryOptions) {
    const { host, log } = options;
    this.#options = options;
    this.#around = {
      host,
      gate: options.gate ?? OPEN_GATE,
      log,
      prepare: new Preparation({
        engine: options.engine ?? 'native',
        device: options.provider?.device ?? 'cpu',
        gpus: options.gpus ?? [0],
        onGpuError: options.provider?.onGpuError ?? 'fail',
        strict: options.provider?.strict ?? false,
        backendParameters: options.backendDefaults ?? {},
        maxExecutionMs: options.maxExecutionMs ?? 0,
        sloMs: options.sloMs ?? 0,
        costSweepMs: options.costSweepMs ?? 0,
        autoComplete: options.autoComplete ?? true,
        inspectTokenizer: options.inspectTokenizer,
      }),
      slots: new LoadSlots(options.loadThreads ?? 4),
      retries: options.loadRetries ?? 0,
      drainTimeoutMs: options.drainTimeoutMs ?? 30_000,
      checkRunning: () => this.#checkRunning(),
      onVersionReady: options.onVersionReady ?? (() => {}),
      onVersionReloaded: options.onVersionReloaded ?? (() => {}),
      onVersionGone: options.onVersionGone ?? (() => {}),
    };
    this.#places = {
      roots: [],
      versions: options.versions ?? new Map(),
      adopted: this.#adopted,
      adoptFrom: options.adoptFrom ?? '',
      configName: options.configName,
      families: familiesOf(options.backends),
      temporaryRoot: options.temporaryRoot ?? tmpdir(),
    };
    this.#catalogue = new Catalogue([], options.clock, log);
  }

  /**
   * Reads the repositories and loads what is to be loaded at the start; resolves when each model serves or failed. A
   * model that fails is in the index and the log, and stops no other. Rejects with MODEL_INVALID where a repository
   * folder itself cannot be read.
   */
  async start(): Promise<void> {
    const { folders, controlMode, loadModels, clock, log } = this.#options;
    this.#catalogue = await Catalogue.open(folders, clock, log);
    this.#places = { ...this.#places, roots: this.#catalogue.roots };
    if (controlMode === 'poll') return this.#startPolling();
    const all = controlMode === 'none' || loadModels.includes('*');
    const names = all ? this.#catalogue.names() : [];
    const wanted = new Set([...names, ...loadModels.filter((name) => name !== '*')]);
    await Promise.all([...wanted].map((name) => this.#loadAtStart(name)));
  }

  async #startPolling(): Promise<void> {
    const { pollMs = 15_000, clock, log } = this.#options;
    const { roots } = this.#catalogue;
    const poll = new RepositoryPoll({
      roots,
      everyMs: pollMs,
      clock,
      log,
      load: (name, unchanged) => this.#load(name, NO_PARAMETERS, this.#model(name), unchanged),
      unload: async (name) => {
        const life = this.#models.get(name);
        this.#dependents.forget(name);
        await life?.turns.take(`unload of '${name}'`, () => life.unload());
        this.#models.delete(name);
      },
    });
    // Before anything is read: what is written meanwhile has changed.
    const prints = await poll.look();
    const failed = new Set<string>();
    await Promise.all(
      [...prints.keys()].map(async (name) => {
        if (!(await this.#loadAtStart(name))) failed.add(name);
      }),
    );
    if (this.#draining) return;
    this.#poll = poll;
    poll.begin(prints, failed);
  }

  async #loadAtStart(name: string): Promise<boolean> {
    try {
      await this.#load(name, NO_PARAMETERS, this.#model(name));
      return true;
    } catch (thrown) {
      // The index has the reason and the log too: a broken model is no reason for the others not to serve.
      const { message } = toServingError(thrown);
      this.#options.log.warn('model does not serve as declared', { model: name, why: message });
      return false;
    }
  }

  /** See `ModelControl`. Also OVERLOADED where too many operations on the model wait, DRAINING when the server stops. */
  async load(model: string, parameters: LoadParameters): Promise<void> {
    this.#checkExplicit('load');
    checkModelName(model);
    this.#checkRunning();
    // A name nobody has must not grow the table of models: requests name it.
    const told = this.#models.has(model) || parameters.files.size > 0;
    if (!told && !(await this.#catalogue.look(model))) {
      throw new ServingError('MODEL_NOT_FOUND', `failed to load '${model}', failed to poll from model repository`);
    }
    const life = this.#model(model);
    this.#dependents.asked(model);
    await this.#load(model, parameters, life);
  }

  /** See `ModelControl`; in every mode, as nothing that the repositories say is concerned. */
  async adopt(model: string, folder: string): Promise<void> {
    if (this.#options.adoptFrom === undefined)
      throw new ServingError('UNSUPPORTED', 'models are not loaded from folders of their own here');
    checkModelName(model);
    this.#checkRunning();
    const taken = () => new ServingError('ALREADY_EXISTS', `model '${model}' is there already`);
    if (this.#adopted.has(model) || this.#models.has(model)) throw taken();
    this.#adopted.set(model, folder);
    try {
      if (await this.#catalogue.look(model)) throw taken();
      await this.#load(model, NO_PARAMETERS, this.#model(model));
    } catch (thrown) {
      await this.#abandon(model);
      throw thrown;
    }
  }

  adopted(): readonly AdoptedModel[] {
    return [...this.#adopted].sort().map(([model, folder]) => ({ model, folder }));
  }

  /** Of an adopted model nothing stays: such names are without number. */
  async #abandon(model: string): Promise<void> {
    const life = this.#models.get(model);
    this.#dependents.forget(model);
    await life?.turns.take(`unload of '${model}'`, () => life.unload());
    this.#models.delete(model);
    this.#adopted.delete(model);
  }

  async #load(
    name: string,
    parameters: LoadParameters,
    life: ModelLife,
    unchanged?: ReadonlySet<number>,
  ): Promise<void> {
    life.want();
    try {
      await this.#loadInTurn(name, parameters, life, unchanged);
    } catch (thrown) {
      this.#dependents.failed(name);
      throw thrown;
    }
    this.#retryOver(name);
  }

  #loadInTurn(
    name: string,
    parameters: LoadParameters,
    life: ModelLife,
    unchanged: ReadonlySet<number> | undefined,
  ): Promise<void> {
    return life.turns.take(`load of '${name}'`, async (hold) => {
      this.#checkRunning();
      let source: ModelSource;
      try {
        source = await this.#source(name, parameters, life);
      } catch (thrown) {
        const error = toServingError(thrown);
        if (error !== thrown) this.#options.log.error('reading a model failed', { model: name, error: thrown });
        life.failed(error.message);
        throw error;
      }
      for (const warning of source.found.warnings) this.#options.log.warn('model config', { model: name, warning });
      try {
        await this.#loadMembers(name, source, parameters, life);
        await life.load(source, hold, keptOf(parameters, life) ?? unchanged);
      } finally {
        await source.release();
      }
    });
  }

  /** With a version of its own: that one, and those that serve whether or not their folders are still there. */
  async #source(name: string, parameters: LoadParameters, life: ModelLife): Promise<ModelSource> {
    const { version } = parameters;
    if (version === undefined) return findSource(this.#places, name, parameters);
    const wanted = [...new Set([...life.serving.keys(), version])].sort((a, b) => a - b);
    const versions = new Map([...this.#places.versions, [name, wanted]]);
    const source = await findSource({ ...this.#places, versions }, name, parameters);
    if (source.versions.wanted.includes(version)) return { ...source, versions: { wanted, missing: [] } };
    await source.release();
    throw new ServingError('VERSION_NOT_FOUND', `failed to load '${name}', there is no version ${version} of it`);
  }

  /** The models of an ensemble are there before it: loaded for it where they are loaded on request. Throws MODEL_INVALID. */
  async #loadMembers(name: string, source: ModelSource, parameters: LoadParameters, life: ModelLife): Promise<void> {
    if (!isEnsemble(source.found.config)) {
      this.#dependents.forget(name);
      return;
    }
    try {
      const members = membersIn(source);
      this.#dependents.begin(name, members, parameters);
      const cycle = await this.#dependents.cycle(name, (model) => this.#membersOf(model));
      if (cycle !== undefined)
        throw new ServingError('MODEL_INVALID', `ensemble: these models are over each other: ${cycle.join(' -> ')}`);
      await Promise.all([...new Set(members)].map((member) => this.#loadMember(member, members.indexOf(member))));
    } catch (thrown) {
      life.failed(toServingError(thrown).message);
      throw thrown;
    }
  }

  async #loadMember(name: string, step: number): Promise<void> {
    let why = '';
    await this.#models.get(name)?.turns.idle();
    if (this.#options.controlMode === 'explicit' && this.readyVersions(name).length === 0) {
      if (!(await this.#catalogue.look(name))) why = 'no repository has it';
      else {
        if (!this.#models.has(name)) this.#dependents.along(name);
        try {
          await this.#load(name, NO_PARAMETERS, this.#model(name));
        } catch (thrown) {
          why = toServingError(thrown).message;
        }
      }
    }
    const life = this.#models.get(name);
    if (life !== undefined && life.serving.size > 0) return;
    if (why === '') why = life === undefined ? 'no repository has it' : life.failure || 'it is not loaded';
    throw new ServingError(
      'MODEL_INVALID',
      `ensemble: step ${step} (model '${name}'): the model does not serve: ${why}`,
    );
  }

  /** Of an ensemble as it is known, or as it lies in its repository; none of anything else, or of what cannot be read. */
  async #membersOf(model: string): Promise<readonly string[]> {
    const known = this.#dependents.membersOf(model);
    if (known !== undefined) return known;
    try {
      const source = await findSource(this.#places, model, NO_PARAMETERS);
      return isEnsemble(source.found.config) ? membersIn(source) : [];
    } catch {
      // Its own load says what is wrong with it.
      return [];
    }
  }

  /** Ensembles that failed for want of `model`. */
  #retryOver(model: string): void {
    for (const { ensemble, parameters } of this.#dependents.toRetry(model)) {
      const life = this.#models.get(ensemble);
      if (life === undefined || life.serving.size > 0 || this.#draining) continue;
      // The index has the reason where it fails again.
      this.#load(ensemble, parameters, life).catch((thrown) =>
        this.#options.log.warn('ensemble does not serve', { model: ensemble, why: toServingError(thrown).message }),
      );
    }
  }

  /**
   * See `ModelControl`; resolves when everything of the model is closed. `unloadDependents`: with it go the models of an
   * ensemble that were loaded along with it and take part in no other. Ensembles over an unloaded model are not ready.
   */
  async unload(model: string, unloadDependents: boolean, version?: number): Promise<void> {
    if (this.#adopted.has(model) && version === undefined) return this.#abandon(model);
    this.#checkExplicit('unload');
    this.#checkRunning();
    const life = this.#models.get(model);
    if (life !== undefined && version !== undefined && !isAll(version, life))
      return life.turns.take(`unload of '${model}'`, () => life.unloadVersion(version));
    const going = unloadDependents ? this.#dependents.goingWith(model) : [];
    if (life !== undefined) {
      this.#dependents.forget(model);
      await life.turns.take(`unload of '${model}'`, () => life.unload());
      await Promise.all(going.map((member) => this.unload(member, true)));
      return;
    }
    if (!this.#catalogue.has(model)) {
      throw new ServingError('MODEL_NOT_FOUND', `failed to unload '${model}', no repository has it`);
    }
  }

  /**
   * Stops everything, for good: no load begins any more, versions drain side by side for at most `timeoutMs`, then stop
   * and close. Loads under way give up at their next step; those that do not within the time are left to do so later.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#poll?.stop();
    const lives = [...this.#models.values()];
    const { clock } = this.#options;
    const untilNs = clock.nowNs() + timeoutMs * 1e6;
    for (const round of this.#dependents.drainOrder([...this.#models.keys()])) {
      const leftMs = Math.max(0, (untilNs - clock.nowNs()) / 1e6);
      await Promise.all(round.map((name) => this.#models.get(name)?.drain(leftMs)));
    }
    await this.#within(timeoutMs, Promise.all(lives.map((life) => life.turns.idle())));
  }

  async #within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
    const { clock, log } = this.#options;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(clock.nowNs() + timeoutMs * 1e6, () => {
        log.warn('loads were still under way when the drain time ended', { timeoutMs });
        resolve();
      });
      void work.then(() => {
        timer.clear();
        resolve();
      });
    });
  }

  index(readyOnly: boolean): readonly IndexEntry[] {
    return this.#views.index(readyOnly);
  }

  spec(model: string, version: number | undefined): ModelSpec {
    return this.#views.spec(model, version);
  }

  config(model: string, version: number | undefined): Readonly<Record<string, unknown>> {
    return this.#views.config(model, version);
  }

  probed(model: string, version: number): ReturnType<ModelViews['probed']> {
    return this.#views.probed(model, version);
  }

  readyVersions(model: string): readonly number[] {
    return this.#views.readyVersions(model);
  }

  ready(model: string, version: number | undefined): boolean {
    return this.#views.ready(model, version);
  }

  status(model: string, version: number | undefined): VersionStatus {
    return this.#views.status(model, version);
  }

  memory(id: ModelVersionId): readonly MemoryUse[] {
    return this.#views.memory(id);
  }

  allReady(): boolean {
    return this.#views.allReady();
  }

  #model(name: string): ModelLife {
    const life = this.#models.get(name) ?? new ModelLife(name, this.#around);
    this.#models.set(name, life);
    return life;
  }

  #checkExplicit(what: string): void {
    const { controlMode } = this.#options;
    if (controlMode === 'explicit') return;
    throw new ServingError(
      'UNSUPPORTED',
      `explicit model ${what} is not allowed while the model control mode is '${controlMode}'; start with --model-control-mode=explicit`,
    );
  }

  #checkRunning(): void {
    if (this.#draining) throw new ServingError('DRAINING', 'the server is stopping, models are not loaded any more');
  }
}

/** Models of an ensemble's steps, by step. Throws MODEL_INVALID. */
function membersIn({ found }: ModelSource): readonly string[] {
  return ensembleStepsOf(found.config).map(({ model }) => model);
}

/** Versions that serve and are not opened anew: beside one that is loaded alone, and where only the policy is another. */
function keptOf({ version, versionPolicy }: LoadParameters, { serving }: ModelLife): ReadonlySet<number> | undefined {
  if (versionPolicy !== undefined) return new Set(serving.keys());
  return version === undefined ? undefined : new Set([...serving.keys()].filter((other) => other !== version));
}

/** Whether nothing of a model serves beside a version that does. */
function isAll(version: number, { serving }: ModelLife): boolean {
  return serving.size === 1 && serving.has(version);
}
