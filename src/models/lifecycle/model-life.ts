import {
  type BesideModel,
  type HostedVersion,
  type IndexEntry,
  type Log,
  type ModelVersionId,
  PROTOCOL_STATES,
  ServingError,
  toServingError,
  type VersionGate,
  type VersionHost,
} from '../../core/index.js';
import type { ModelSource } from '../repository/model-source.js';
import { decideLoad, decideSwap, type OpenOutcome } from './decide.js';
import type { Preparation } from './preparation.js';
import { type LoadSlots, Turns } from './turns.js';
import { type VersionInfo, VersionLife } from './version-life.js';

/** What every model shares. */
export interface ModelSurroundings {
  readonly prepare: Preparation;
  readonly host: VersionHost;
  readonly gate: VersionGate;
  readonly log: Log;
  readonly slots: LoadSlots;
  /** How often a version that fails to load is tried again. */
  readonly retries: number;
  readonly drainTimeoutMs: number;
  readonly checkRunning: () => void;
  readonly onVersionReady: (id: ModelVersionId, info: VersionInfo) => void;
  readonly onVersionReloaded: (id: ModelVersionId) => void;
  readonly onVersionGone: (id: ModelVersionId) => void;
}

const MOST_WAITING_OPERATIONS = 16;

/**
 * The versions of one model: those that serve, and those that wait, failed or left. Operations come through `turns`, one
 * at a time, so nothing here is ever half of two of them.
 */
export class ModelLife {
  readonly name: string;
  readonly turns = new Turns(MOST_WAITING_OPERATIONS);
  readonly #around: ModelSurroundings;
  /** What is published. */
  readonly #serving = new Map<number, VersionLife>();
  /** The last life of every version that is not published. */
  readonly #others = new Map<number, VersionLife>();
  /** Lives that are not closed, by version: two while one replaces the other. */
  readonly #lives = new Map<number, number>();
  /** Versions that a policy names and that have no folder. */
  #missing: readonly number[] = [];
  /** Why the last load failed: of the whole model, or of its reload. */
  #failure = '';
  /** True from the first load asked for until an unload: `allReady` counts it. */
  #wanted = false;
  /** Versions that `allReady` expects: of the last load that published, or the last one where nothing serves. */
  #declared: readonly number[] = [];
  /** Of the load that published last. */
  #beside: BesideModel | undefined;

  constructor(name: string, around: ModelSurroundings) {
    this.name = name;
    this.#around = around;
  }

  /** A load is asked for; its turn comes. */
  want(): void {
    this.#wanted = true;
  }

  get serving(): ReadonlyMap<number, VersionLife> {
    return this.#serving;
  }

  /** Notes a load that failed before any version could be tried; what serves goes on. */
  failed(why: string): void {
    this.#wanted = true;
    this.#failure = why;
    this.#missing = [];
    if (this.#serving.size === 0) this.#dropDeparted();
    this.#around.log.error('model failed to load', { model: this.name, why, serving: this.#serving.size });
  }

  /**
   * Opens and warms every wanted version, publishes them at once, then retires what served before. Resolves at
   * publication; `hold` gets the retirement. Rejects with MODEL_INVALID (or the one reason) where a version failed: see
   * `decideSwap` for what serves then. Versions among `unchanged` that serve go on as they are.
   */
  async load(source: ModelSource, hold: (rest: Promise<void>) => void, unchanged?: ReadonlySet<number>): Promise<void> {
    this.#wanted = true;
    this.#failure = '';
    this.#missing = source.versions.missing;
    this.#dropDeparted();
    const plan = decideLoad(source.versions.wanted, [...this.#serving.keys()], unchanged);
    const declared = [...source.versions.wanted, ...this.#missing];
    if (this.#serving.size === 0) this.#declared = declared;
    if (source.versions.wanted.length === 0) {
      const error = new ServingError('MODEL_INVALID', `failed to load '${this.name}', no version is available`);
      this.failed(error.message);
      throw error;
    }
    const lives = new Map(plan.open.map((version) => [version, this.#newLife(version, source)]));
    const errors = new Map<number, ServingError>();
    await Promise.all(plan.open.map((version) => this.#open(version, source, lives, errors)));
    const stopping = await this.#giveUpWhereStopping(lives, errors);
    if (stopping === undefined && (await this.#swap(lives, plan.keep, errors, source, hold))) this.#declared = declared;
    for (const version of errors.keys()) this.#ended(version);
    if (errors.size > 0) throw this.#loadError(errors);
    if (stopping !== undefined) throw stopping;
  }

  /** Never rejects: a version that fails to the end has its error in `errors`. */
  async #open(
    version: number,
    source: ModelSource,
    lives: Map<number, VersionLife>,
    errors: Map<number, ServingError>,
  ): Promise<void> {
    const { slots, retries, log } = this.#around;
    for (let tried = 0; ; tried++) {
      try {
        await slots.run(() => (lives.get(version) as VersionLife).load());
        return;
      } catch (thrown) {
        const error = toServingError(thrown);
        if (tried === retries || error.reason === 'DRAINING') {
          errors.set(version, error);
          return;
        }
        log.warn('a version that failed to load is tried again', { model: this.name, version, why: error.message });
        lives.set(version, this.#newLife(version, source));
        this.#ended(version);
      }
    }
  }

  #newLife(version: number, source: ModelSource): VersionLife {
    const { prepare, host, gate, log, checkRunning } = this.#around;
    const id = { model: this.name, version };
    const onServing = (info: VersionInfo) => {
      if (this.#serving.get(version) === life) this.#around.onVersionReady(id, info);
    };
    const serving = () => this.highest()?.hosted;
    const life: VersionLife = new VersionLife({
      id,
      source,
      prepare,
      host,
      gate,
      serving,
      log,
      checkRunning,
      onServing,
    });
    this.#lives.set(version, (this.#lives.get(version) ?? 0) + 1);
    if (!this.#serving.has(version)) this.#others.set(version, life);
    return life;
  }

  /** A server that began to stop while versions loaded publishes none of them; undefined: it did not. */
  async #giveUpWhereStopping(
    lives: ReadonlyMap<number, VersionLife>,
    errors: Map<number, ServingError>,
  ): Promise<ServingError | undefined> {
    try {
      this.#around.checkRunning();
      return undefined;
    } catch (thrown) {
      const error = toServingError(thrown);
      const warmed = [...lives].filter(([version]) => !errors.has(version));
      for (const [version] of warmed) errors.set(version, error);
      await Promise.all(warmed.map(([, life]) => life.discard(error.message)));
      return error;
    }
  }

  /** True where something was published. */
  async #swap(
    lives: ReadonlyMap<number, VersionLife>,
    keep: readonly number[],
    errors: ReadonlyMap<number, ServingError>,
    beside: ModelSource,
    hold: (rest: Promise<void>) => void,
  ): Promise<boolean> {
    const outcomes = new Map<number, OpenOutcome>();
    for (const version of lives.keys()) outcomes.set(version, errors.has(version) ? 'failed' : 'warmed');
    const swap = decideSwap(outcomes, [...this.#serving.keys()], keep);
    if (swap.kind === 'keep') {
      const why = [...errors.values()][0]?.message ?? '';
      if (this.#serving.size > 0) this.#failure = `the last reload failed: ${why}`;
      await Promise.all(
        swap.discard.map((version) => lives.get(version)?.discard(`given up, another version failed: ${why}`)),
      );
      for (const version of swap.discard) this.#ended(version);
      return false;
    }
    const published = swap.publish.map((version) => (lives.get(version) ?? this.#serving.get(version)) as VersionLife);
    this.#beside = beside;
    const reached = this.#around.host.publish(this.name, hostedOf(published), beside);
    const retiring = swap.retire.map((version) => this.#serving.get(version) as VersionLife);
    this.#serving.clear();
    for (const life of published) {
      this.#serving.set(life.id.version, life);
      this.#others.delete(life.id.version);
      if (keep.includes(life.id.version)) continue;
      life.serve();
      if (swap.retire.includes(life.id.version)) this.#around.onVersionReloaded(life.id);
      this.#around.onVersionReady(life.id, life.info() as VersionInfo);
    }
    hold(this.#retire(retiring, this.#around.drainTimeoutMs));
    await reached;
    return true;
  }

  /** Takes a model out of service: no new request, then drain, stop, close. Resolves when all is closed. */
  async unload(): Promise<void> {
    const retiring = [...this.#serving.values()];
    this.#wanted = false;
    this.#failure = '';
    this.#missing = [];
    this.#serving.clear();
    for (const life of this.#others.values()) life.forget('unloaded');
    if (retiring.length === 0) return;
    // Its draining waits for the publication.
    void this.#around.host.publish(this.name, []);
    await this.#retire(retiring, this.#around.drainTimeoutMs);
  }

  /**
   * Takes one version out of service, where others go on as they are; the last one takes the model with it. Rejects with
   * VERSION_NOT_FOUND where it does not serve.
   */
  async unloadVersion(version: number): Promise<void> {
    const leaving = this.#serving.get(version);
    if (leaving === undefined) {
      throw new ServingError('VERSION_NOT_FOUND', `failed to unload '${this.name}', version ${version} is not loaded`);
    }
    if (this.#serving.size === 1) return this.unload();
    this.#serving.delete(version);
    this.#declared = this.#declared.filter((declared) => declared !== version);
    // Its draining waits for the publication.
    void this.#around.host.publish(this.name, hostedOf([...this.#serving.values()]), this.#beside);
    await this.#retire([leaving], this.#around.drainTimeoutMs);
  }

  /** The server stops: drains what serves, in place, so that late requests hear of draining, not of an unknown model. */
  async drain(timeoutMs: number): Promise<void> {
    const retiring = [...this.#serving.values()];
    this.#serving.clear();
    if (retiring.length === 0) return;
    let left = retiring.length;
    await this.#retire(retiring, timeoutMs, () => {
      if (--left === 0) void this.#around.host.publish(this.name, []);
    });
  }

  async #retire(lives: readonly VersionLife[], timeoutMs: number, drained?: () => void): Promise<void> {
    await Promise.all(
      lives.map(async (life) => {
        const { version } = life.id;
        if (!this.#serving.has(version)) this.#others.set(version, life);
        await life.retire(timeoutMs, 'unloaded', drained);
        this.#ended(version);
      }),
    );
  }

  /** A life is closed. The id is gone with its last one: a version that was reloaded goes on under it. */
  #ended(version: number): void {
    const left = (this.#lives.get(version) ?? 0) - 1;
    if (left > 0) this.#lives.set(version, left);
    else {
      this.#lives.delete(version);
      this.#around.onVersionGone({ model: this.name, version });
    }
  }

  #dropDeparted(): void {
    for (const [version, life] of this.#others) {
      if (life.state === 'failed' || life.state === 'unloaded') this.#others.delete(version);
    }
  }

  #loadError(errors: ReadonlyMap<number, ServingError>): ServingError {
    const all = [...errors].sort(([a], [b]) => a - b);
    const [, first] = all[0] as [number, ServingError];
    const reasons = all.map(([version, { message }]) => `version ${version}: ${message}`).join('; ');
    return new ServingError(first.reason, `failed to load '${this.name}', ${reasons}`, { cause: first });
  }

  /** The life that stands for a version: what serves, else what came last. */
  version(version: number): VersionLife | undefined {
    return this.#serving.get(version) ?? this.#others.get(version);
  }

  /** Lives that serve by the protocols' word, ascending. */
  ready(): VersionLife[] {
    return [...this.#serving.values()]
      .filter((life) => life.state === 'ready')
      .sort((a, b) => a.id.version - b.id.version);
  }

  /** The highest version that is ready, else the highest that serves at all. */
  highest(): VersionLife | undefined {
    return this.ready().at(-1) ?? [...this.#serving.values()].sort((a, b) => a.id.version - b.id.version).at(-1);
  }

  /** Why it is not as asked: a failed load, or a failed reload of what still serves. */
  get failure(): string {
    return this.#failure;
  }

  /** False where a version that was asked for does not serve. */
  get allReady(): boolean {
    if (!this.#wanted) return true;
    return this.#serving.size > 0 && this.#declared.every((version) => this.#serving.get(version)?.state === 'ready');
  }

  rows(): IndexEntry[] {
    const rows = new Map<number, IndexEntry>();
    const { name } = this;
    for (const version of this.#missing) {
      rows.set(version, {
        name,
        version,
        state: 'UNAVAILABLE',
        reason: 'the version policy names it, but it has no folder',
      });
    }
    for (const [version, life] of [...this.#others, ...this.#serving]) {
      const reason = life.reason === '' && this.#serving.has(version) ? this.#failure : life.reason;
      rows.set(version, { name, version, state: PROTOCOL_STATES[life.state], reason });
    }
    if (rows.size === 0) {
      const loading = this.#wanted && this.#failure === '';
      const reason = loading ? '' : this.#failure || 'unloaded';
      return [{ name, version: undefined, state: loading ? 'LOADING' : 'UNAVAILABLE', reason }];
    }
    return [...rows.values()].sort((a, b) => (a.version ?? 0) - (b.version ?? 0));
  }
}

function hostedOf(lives: readonly VersionLife[]): HostedVersion[] {
  return lives.map((life) => life.hosted as HostedVersion);
}
