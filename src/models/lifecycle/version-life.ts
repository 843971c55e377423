import {
  type CarrierUse,
  type HostedVersion,
  type Log,
  type MemoryUse,
  type ModelFiles,
  type ModelSpec,
  type ModelVersionId,
  type OpenedModel,
  type ProviderShares,
  ServingError,
  StateMachine,
  toServingError,
  VERSION_MOVES,
  type VersionGate,
  type VersionHost,
  type VersionState,
  type VersionStatus,
} from '../../core/index.js';
import { modelFiles } from '../repository/model-files.js';
import type { ModelSource } from '../repository/model-source.js';
import type { WarmSample } from '../warmup/warm-samples.js';
import type { Preparation, PreparedVersion } from './preparation.js';

/** What became of a version that serves, for metrics and statuses. */
export interface VersionInfo {
  readonly spec: ModelSpec;
  readonly state: VersionState;
  readonly ready: boolean;
  /** `native`, `node`, or the name of a backend that has one engine only. */
  readonly engine: string;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
  readonly instances: number;
  /** How runs are carried at the time of the call. */
  readonly carriers: () => readonly CarrierUse[];
  /** What it holds of memory at the time of the call. */
  readonly memory: () => readonly MemoryUse[];
}

/** States an operator wants to read of; the way there is for debugging. */
const TOLD: readonly VersionState[] = ['ready', 'impaired', 'draining', 'unloaded'];

/** What one life is made from. */
export interface LifeParts {
  readonly id: ModelVersionId;
  readonly source: ModelSource;
  readonly prepare: Preparation;
  readonly host: VersionHost;
  readonly log: Log;
  readonly gate: VersionGate;
  /** The version that it would take requests of, where one serves. */
  readonly serving: () => HostedVersion | undefined;
  /** Throws DRAINING where the server stops: a load in progress is given up at its next step. */
  readonly checkRunning: () => void;
  /** A serving version became impaired, or ready again. */
  readonly onServing: (info: VersionInfo) => void;
}

/**
 * One incarnation of a model version, from its files to their release: open, host, warm, pass the gates, then either `serve` and `retire`,
 * or `discard`. A reload of the same version is another incarnation. Whatever it opened is closed exactly once.
 */
export class VersionLife {
  readonly id: ModelVersionId;
  readonly #parts: LifeParts;
  readonly #machine: StateMachine<VersionState>;
  #reason = '';
  #prepared: PreparedVersion | undefined;
  #opened: OpenedModel | undefined;
  #hosted: HostedVersion | undefined;

  constructor(parts: LifeParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#machine = new StateMachine<VersionState>(VERSION_MOVES, 'declared', (from, to, why) => {
      const fields = { model: this.id.model, version: this.id.version, from, to, ...(why === '' ? {} : { why }) };
      if (to === 'failed') parts.log.error('model version failed', fields);
      else if (TOLD.includes(to)) parts.log.info('model version moved', fields);
      else parts.log.debug('model version moved', fields);
    });
    parts.source.hold();
  }

  get state(): VersionState {
    return this.#machine.state;
  }

  /** Why it does not serve; empty while it does, or is on its way. */
  get reason(): string {
    return this.#reason;
  }

  /** Set from the end of `load` on. */
  get hosted(): HostedVersion | undefined {
    return this.#hosted;
  }

  get files(): ModelFiles {
    return modelFiles(this.#parts.source.place, this.id.model);
  }

  get config(): Readonly<Record<string, unknown>> | undefined {
    return this.#prepared?.shown;
  }

  /** Opens, hosts and warms the version, and has it pass the gates. Rejects with what is wrong, after all that was opened is closed again. */
  async load(): Promise<void> {
    try {
      await this.#load();
    } catch (thrown) {
      const error = toServingError(thrown);
      if (error !== thrown) this.#parts.log.error('loading failed unexpectedly', { ...this.id, error: thrown });
      this.#fail(error.message);
      await this.#release();
      throw error;
    }
  }

  async #load(): Promise<void> {
    const { prepare, source, host, gate, serving, checkRunning } = this.#parts;
    checkRunning();
    this.#machine.move('loading');
    const { files } = this;
    await gate.beforeOpening(this.id, files);
    checkRunning();
    const opening = await prepare.open(this.id, source);
    this.#opened = opening.opened;
    checkRunning();
    const prepared = await prepare.complete(opening, source);
    this.#prepared = prepared;
    const hosted = await host.start(opening.opened, prepared.plan);
    this.#hosted = hosted;
    hosted.onImpaired = (impaired, why) => this.#impair(impaired, why);
    this.#machine.move('warming');
    for (const sample of prepared.samples) await this.#warm(hosted, sample);
    checkRunning();
    await hosted.learn();
    checkRunning();
    await gate.beforeServing(files, hosted, serving());
    checkRunning();
  }

  async #warm(hosted: HostedVersion, sample: WarmSample): Promise<void> {
    for (let i = 0; i < sample.count; i++) {
      this.#parts.checkRunning();
      try {
        await hosted.warm(sample.member);
      } catch (thrown) {
        const { message } = toServingError(thrown);
        throw new ServingError('MODEL_INVALID', `warm-up sample '${sample.name}' failed: ${message}`, {
          cause: thrown,
        });
      }
    }
  }

  #impair(impaired: boolean, why: string): void {
    const to = impaired ? 'impaired' : 'ready';
    if (this.state === to || (this.state !== 'ready' && this.state !== 'impaired')) return;
    this.#reason = impaired ? why : '';
    this.#machine.move(to, why);
    const info = this.info();
    if (info !== undefined) this.#parts.onServing(info);
  }

  /** Marks a loaded version ready: it has just been published. */
  serve(): void {
    this.#machine.move('ready');
  }

  /** Gives up a loaded version that is not going to be published. */
  async discard(why: string): Promise<void> {
    this.#fail(why);
    await this.#release();
  }

  /**
   * Ends a version that serves: drains (at most `drainTimeoutMs`), calls `drained`, stops, closes. Never rejects: a step
   * that fails is logged, and the others are still made. `why` is its reason afterwards.
   */
  async retire(drainTimeoutMs: number, why: string, drained: () => void = () => {}): Promise<void> {
    this.#machine.move('draining', why);
    this.#reason = why;
    await this.#step('drain', () => this.#hosted?.drain(drainTimeoutMs));
    drained();
    if (this.state === 'draining') this.#machine.move('unloading');
    await this.#release();
    if (this.state === 'unloading') this.#machine.move('unloaded');
  }

  /** Takes a failed version out of the books. */
  forget(why: string): void {
    if (this.state !== 'failed') return;
    this.#reason = why;
    this.#machine.move('unloaded', why);
  }

  #fail(why: string): void {
    this.#reason = why;
    this.#machine.move('failed', why);
  }

  async #release(): Promise<void> {
    const hosted = this.#hosted;
    const opened = this.#opened;
    this.#hosted = undefined;
    this.#opened = undefined;
    await this.#step('stop', () => hosted?.stop());
    await this.#step('close', () => opened?.close());
    await this.#step('release of files', () => this.#parts.source.release());
  }

  async #step(step: string, action: () => Promise<void> | undefined): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#parts.log.error('a step of unloading failed', { ...this.id, step, error });
      if (this.state === 'draining' || this.state === 'unloading') {
        this.#fail(`its ${step} failed: ${toServingError(error).message}`);
      }
    }
  }

  info(): VersionInfo | undefined {
    const prepared = this.#prepared;
    const opened = this.#opened;
    if (prepared === undefined || opened === undefined) return undefined;
    return {
      spec: prepared.plan.spec,
      state: this.state,
      ready: this.state === 'ready',
      engine: prepared.engine,
      providers: opened.providers,
      fallback: opened.fallback,
      instances: prepared.plan.instances.reduce((sum, group) => sum + group.count, 0),
      carriers: () => opened.carriers?.() ?? [],
      memory: () => opened.memory?.() ?? [],
    };
  }

  status(note: string): VersionStatus {
    const info = this.info();
    return {
      state: this.state,
      reason: this.#reason === '' ? note : this.#reason,
      engine: info?.engine ?? '',
      providers: info?.providers ?? {},
      fallback: info?.fallback,
      instances: info?.instances ?? 0,
      lanes: this.#hosted?.laneStates() ?? {},
      carriers: info?.carriers() ?? [],
    };
  }
}
