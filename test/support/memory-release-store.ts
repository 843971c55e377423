import {
  type DecisionEntry,
  type ModelRelease,
  type ReleaseChange,
  type ReleaseStore,
  type RolloutRecord,
  ServingError,
} from '../../src/core/index.js';

/** A store in memory that can be told to fail, and what was written to it. */
export class MemoryReleaseStore implements ReleaseStore {
  readonly #rollouts = new Map<string, RolloutRecord>();
  readonly #decisions: (DecisionEntry & { readonly sequence: number })[] = [];
  readonly #releases = new Map<string, ModelRelease>();
  readonly #routes = new Map<string, string>();
  #split = 0;
  failing = false;
  /** Called with each change before it is written. */
  onCommit: (change: ReleaseChange) => void = () => {};

  commit(change: ReleaseChange): void {
    if (this.failing) throw new ServingError('INTERNAL', 'the store cannot be written');
    this.onCommit(change);
    const { rollout, decisions = [], release, routes } = structuredClone(change);
    if (rollout !== undefined) this.#rollouts.set(rollout.id, rollout);
    for (const entry of decisions) this.#decisions.push({ ...entry, sequence: this.#decisions.length + 1 });
    if (release?.release !== undefined) this.#releases.set(release.model, release.release);
    else if (release !== undefined) this.#releases.delete(release.model);
    if (routes?.document !== undefined) this.#routes.set(routes.model, routes.document);
    else if (routes !== undefined) this.#routes.delete(routes.model);
  }

  rollouts(): readonly RolloutRecord[] {
    return [...this.#rollouts.values()];
  }

  decisions(rollout: string, after = 0, most = Number.POSITIVE_INFINITY) {
    return this.#decisions.filter((entry) => entry.rollout === rollout && entry.sequence > after).slice(0, most);
  }

  releases(): ReadonlyMap<string, ModelRelease> {
    return new Map(this.#releases);
  }

  routes(): ReadonlyMap<string, string> {
    return new Map(this.#routes);
  }

  nextSplitNumber(): number {
    return ++this.#split;
  }
}
