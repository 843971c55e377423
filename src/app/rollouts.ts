import { parseRolloutPlan } from '../config/index.js';
import {
  type BesideModel,
  type Clock,
  didYouMean,
  type Log,
  type ModelControl,
  type ModelRelease,
  type ReleaseStore,
  type RolloutCommand,
  type RolloutControl,
  type RolloutStatus,
  ServingError,
  toServingError,
} from '../core/index.js';
import {
  type ArmState,
  copiesFault,
  type LabelBooks,
  type PlanFault,
  type PlanVersions,
  type ReleaseGate,
  RolloutEngine,
  type RolloutNotices,
  type RolloutPlan,
  signatureFault,
  versionsOf,
} from '../delivery/index.js';
import type { ServingModel } from './traffic.js';

export interface RolloutsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ReleaseStore;
  /** Publishes a model anew; in force on this thread when it returns. */
  readonly changed: (model: string) => Promise<void>;
  /** Versions that serve of a model, ascending; undefined: none do. */
  readonly serving: (model: string) => Pick<ServingModel, 'versions' | 'uncopied'> | undefined;
  readonly models: () => Pick<ModelControl, 'index' | 'ready' | 'spec'>;
  /** Whether the models of the start are loaded: what is not there before that is on its way. */
  readonly started: () => boolean;
  readonly gate: ReleaseGate;
  readonly notices: RolloutNotices & { readonly names: readonly string[] };
  readonly labels: LabelBooks | undefined;
}

/** Who starts what stands beside a model. */
const BY_FILE = 'the plan beside the model';

/**
 * Joins the rollout engine to the models that serve, to plans in files and to operators. A model with a plan that starts by
 * itself keeps the version that serves until the rollout of a new one has ended well.
 */
export class Rollouts implements RolloutControl {
  readonly engine: RolloutEngine;
  readonly #options: RolloutsOptions;
  /** Plans beside models that start by themselves. */
  readonly #standing = new Map<string, { readonly plan: RolloutPlan; readonly name: string }>();

  constructor(options: RolloutsOptions) {
    this.#options = options;
    const { clock, log, store, gate, notices, labels, changed, serving } = options;
    this.engine = new RolloutEngine({
      clock,
      log,
      store,
      gate,
      notices,
      labels,
      // Other threads follow some milliseconds later; `changed` never rejects.
      traffic: { changed: (model) => void changed(model) },
      versions: {
        state: (model, version) => this.#stateOf(model, version),
        needsPin: (model, version) => this.#standing.has(model) || serving(model)?.versions.at(-1) !== version,
      },
    });
    this.engine.restore();
  }

  /** What stands over the routes of a model, asked at each publication with the versions that will serve. */
  releaseOf(model: string, versions: readonly number[]): ModelRelease | undefined {
    const release = this.engine.release(model);
    if (release !== undefined || versions.length === 0 || !this.#standing.has(model)) return release;
    // From now on no version that appears serves by being the highest, also where the plan came along with it.
    const before = this.#options.serving(model)?.versions.findLast((version) => versions.includes(version));
    return this.engine.hold(model, before ?? Math.max(...versions));
  }

  /** The plan that a load found beside a model, before its versions are published. */
  filed(model: string, file: BesideModel['rollout']): void {
    const plan = file && parseRolloutPlan(file.text, file.name, model).plan;
    if (file === undefined || plan?.start !== 'on-new-version') this.#standing.delete(model);
    else this.#standing.set(model, { plan, name: file.name });
  }

  /** A model was published: a version that is new starts its plan, once whoever publishes has done. */
  published(model: string): void {
    if (this.#standing.has(model)) queueMicrotask(() => this.#startByItself(model));
  }

  start(document: string, name: string, by: string): RolloutStatus {
    const { plan, fault } = parseRolloutPlan(document, name);
    const versions = this.#options.serving(plan.model)?.versions;
    if (versions === undefined) {
      const known = this.#options
        .models()
        .index(false)
        .some((entry) => entry.name === plan.model);
      const message = known ? `model '${plan.model}' does not serve` : `nobody has a model '${plan.model}'`;
      throw fault({ path: ['model'], message });
    }
    const found = this.#versionsOf(plan, versions, this.#defaultOf(plan.model, versions));
    if ('message' in found) throw fault(found);
    for (const [i, webhook] of (plan.notify ?? []).entries()) {
      const { names } = this.#options.notices;
      if (!names.includes(webhook))
        throw fault({
          path: ['notify', i],
          message: `the server has no webhook '${webhook}'${didYouMean(webhook, names)}`,
        });
    }
    return this.engine.begin(plan, found, by);
  }

  list() {
    return this.engine.list();
  }

  status(id: string) {
    return this.engine.status(id);
  }

  ask(id: string, command: RolloutCommand, by: string): RolloutStatus {
    return this.engine.ask(id, command, by);
  }

  log(id: string, after: number, most: number) {
    return this.engine.log(id, after, most);
  }

  unpin(model: string, by: string): void {
    if (this.engine.release(model) === undefined)
      throw new ServingError('MODEL_NOT_FOUND', `no rollout has a say in model '${model}'`);
    if (this.#standing.has(model))
      throw new ServingError(
        'CONFLICT',
        `model '${model}' has a plan beside it that starts by itself: take that away first`,
      );
    this.engine.letGo(model);
    this.#options.log.info('default version is the highest again', { model, by });
  }

  #startByItself(model: string): void {
    const standing = this.#standing.get(model);
    const versions = this.#options.serving(model)?.versions ?? [];
    const serving = this.engine.release(model)?.defaultVersion;
    const newest = versions.at(-1);
    if (standing === undefined || serving === undefined || newest === undefined || newest <= serving) return;
    if (this.engine.active(model) !== undefined || this.engine.tried(model, newest)) return;
    const { log } = this.#options;
    try {
      const found = this.#versionsOf(standing.plan, versions, serving);
      if ('message' in found) throw new ServingError('CONFLICT', `${found.path.join('.')}: ${found.message}`);
      this.engine.begin(standing.plan, found, BY_FILE);
    } catch (thrown) {
      const { message } = toServingError(thrown);
      log.error('a new version does not get its rollout, and no traffic', { model, version: newest, why: message });
    }
  }

  /** The versions of a plan; both have to take the same requests. */
  #versionsOf(plan: RolloutPlan, ready: readonly number[], serving: number | undefined): PlanVersions | PlanFault {
    const found = versionsOf(plan, ready, serving);
    if ('message' in found) return found;
    const { candidate, baseline } = found;
    const spec = (version: number) => this.#options.models().spec(plan.model, version);
    const why = signatureFault(spec(baseline), spec(candidate));
    if (why !== undefined) return { path: ['candidate'], message: `version ${candidate} ${why}` };
    const uncopied = this.#options.serving(plan.model)?.uncopied;
    return copiesFault(plan, (version) => uncopied?.(version), found) ?? found;
  }

  #defaultOf(model: string, versions: readonly number[]): number | undefined {
    return this.engine.release(model)?.defaultVersion ?? versions.at(-1);
  }

  #stateOf(model: string, version: number): ArmState {
    const { serving, models, started } = this.#options;
    if (serving(model)?.versions.includes(version) === true)
      return models().ready(model, version) ? 'ready' : 'impaired';
    const entry = models()
      .index(false)
      .find(({ name, version: one }) => name === model && one === version);
    return entry?.state === 'LOADING' || !started() ? 'loading' : 'gone';
  }
}
