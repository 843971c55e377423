import {
  type ClockTimer,
  type DecisionEntry,
  didYouMean,
  type ModelRelease,
  type ReleaseFact,
  type ReleaseFacts,
  type RolloutCommand,
  type RolloutRecord,
  type RolloutState,
  type RolloutStatus,
  type RolloutSummary,
  rolloutEnded,
  ServingError,
} from '../../core/index.js';
import type { LogEntry } from './log-entry.js';
import type { RolloutPlan } from './plan.js';
import type { PlanVersions } from './plan-versions.js';
import type { RolloutPorts } from './ports.js';
import { refusalOf } from './refusal.js';
import { RolloutRun, type RunBooks, type WrittenRun } from './rollout-run.js';
import { divisionAfter, splitWith } from './split-of.js';

/** Every rollout that runs takes its turn once in so many nanoseconds. */
const TURN_NS = 250e6;
/** Lines of a log read at once after a restart. */
const LOG_PAGE = 10_000;

/**
 * All rollouts of a gateway, at most one a model at a time. A change is kept before it is in force, and in force when the
 * call returns: a rollback takes one turn of the event loop. `restore` goes on with those of an earlier process.
 */
export class RolloutEngine implements ReleaseFacts {
  readonly #ports: RolloutPorts;
  readonly #books: RunBooks = { write: (written, anyway) => this.#write(written, anyway) };
  /** By model. */
  readonly #runs = new Map<string, RolloutRun>();
  /** In force. */
  readonly #releases = new Map<string, ModelRelease>();
  #timer: ClockTimer | undefined;
  #stopped = false;

  constructor(ports: RolloutPorts) {
    this.#ports = ports;
  }

  /** Goes on with the rollouts of the store, before any model is published. Each is folded from its log. */
  restore(): void {
    const { store } = this.#ports;
    for (const [model, release] of store.releases()) this.#releases.set(model, release);
    for (const record of store.rollouts()) if (!rolloutEnded(record.state as RolloutState)) this.#restore(record);
    this.#arm();
  }

  /** What stands over the routes of a model; asked at each publication. */
  release(model: string): ModelRelease | undefined {
    return this.#releases.get(model);
  }

  note(fact: ReleaseFact): void {
    this.#runs.get(fact.model)?.note(fact);
  }

  /** A version that had been ready was loaded anew. */
  reloaded(model: string, version: number): void {
    this.#runs.get(model)?.reloaded(version);
  }

  /** Begins a rollout; its versions were found by `versionsOf`. Throws CONFLICT while the model has one, INTERNAL unkept. */
  begin(plan: RolloutPlan, { candidate, baseline }: PlanVersions, by: string): RolloutStatus {
    const { store, clock } = this.#ports;
    const running = this.#runs.get(plan.model);
    if (running !== undefined)
      throw new ServingError(
        'CONFLICT',
        `model '${plan.model}' has a rollout that has not ended: ${running.course.id} (${running.course.standing.state})`,
      );
    const id = this.#newId(plan.model, candidate);
    const division = divisionAfter(plan, 'stable', 0, undefined) as { canaryBuckets: number; shadowBuckets: number };
    const split = splitWith(store.nextSplitNumber(), division, { id, plan, baseline, candidate });
    const entry: LogEntry = { kind: 'started', id, plan, candidate, baseline, by, split };
    const run = new RolloutRun(this.#ports, this.#books, [{ atMs: clock.wallMs(), entry }]);
    this.#runs.set(plan.model, run);
    try {
      if (!run.begin(entry)) throw new ServingError('INTERNAL', 'the rollout could not be kept, and did not begin');
    } catch (thrown) {
      this.#runs.delete(plan.model);
      throw thrown;
    }
    this.#arm();
    return run.status();
  }

  /** Does what an operator asks, or throws CONFLICT with the reason why not. */
  ask(id: string, command: RolloutCommand, by: string): RolloutStatus {
    const run = this.#running(id);
    if (run === undefined) {
      const { id: ended, state } = this.status(id);
      throw new ServingError('CONFLICT', `rollout ${ended}: it has ended: ${state}`);
    }
    const { course } = run;
    const refusal = refusalOf(course.plan, course.standing, course.findings(), command, by);
    if (refusal !== undefined) throw new ServingError('CONFLICT', `rollout ${course.id}: ${refusal}`);
    run.ask(command, by);
    const status = run.status();
    this.#sweep();
    return status;
  }

  /** The last first. */
  list(): readonly RolloutSummary[] {
    const rows = this.#ports.store.rollouts().map((record) => this.#statusOf(record));
    return rows.sort((a, b) => b.startedMs - a.startedMs).map(summaryOf);
  }

  /** By id, or the last one of a model. Throws MODEL_NOT_FOUND. */
  status(id: string): RolloutStatus {
    return this.#running(id)?.status() ?? this.#statusOf(this.#record(id));
  }

  /** Lines of a log after the one numbered `after`. Throws MODEL_NOT_FOUND. */
  log(id: string, after: number, most: number): readonly (DecisionEntry & { readonly sequence: number })[] {
    return this.#ports.store.decisions(this.#record(id).id, after, most);
  }

  /** Rollouts that have not ended. */
  running(): readonly RolloutStatus[] {
    return [...this.#runs.values()].map((run) => run.status());
  }

  /** The rollout of a model that has not ended. */
  active(model: string): RolloutStatus | undefined {
    return this.#runs.get(model)?.status();
  }

  /** Whether a rollout of the model, or any, has not ended and looks at labels. */
  wantsLabels(model?: string): boolean {
    if (model !== undefined) return this.#runs.get(model)?.wantsLabels ?? false;
    for (const run of this.#runs.values()) if (run.wantsLabels) return true;
    return false;
  }

  /** Whether this version was a candidate before. */
  tried(model: string, candidate: number): boolean {
    return this.#ports.store
      .rollouts()
      .some((record) => record.model === model && this.#statusOf(record).candidate === candidate);
  }

  /** Keeps a version the default of a model that no rollout has a say in, from the publication on that asks for it. */
  hold(model: string, version: number): ModelRelease {
    const release = { defaultVersion: version, split: undefined };
    this.#ports.store.commit({ release: { model, release } });
    this.#releases.set(model, release);
    return release;
  }

  /** Has no say in a model any more: its default is the highest version again. Throws CONFLICT while it has a rollout. */
  letGo(model: string): void {
    const running = this.#runs.get(model);
    if (running !== undefined)
      throw new ServingError('CONFLICT', `model '${model}' has a rollout that has not ended: ${running.course.id}`);
    this.#ports.store.commit({ release: { model, release: undefined } });
    this.#putInForce(model, undefined);
  }

  /** Stops deciding; what is not kept yet is. Releases stay in force. */
  stop(): void {
    for (const run of this.#runs.values()) run.close();
    this.#stopped = true;
    this.#timer?.clear();
  }

  #arm(): void {
    if (this.#stopped || this.#timer !== undefined || this.#runs.size === 0) return;
    const { clock } = this.#ports;
    this.#timer = clock.setTimer(clock.nowNs() + TURN_NS, () => {
      this.#timer = undefined;
      for (const run of this.#runs.values()) run.turn();
      this.#sweep();
      this.#arm();
    });
  }

  #sweep(): void {
    for (const [model, run] of this.#runs) if (run.ended) this.#runs.delete(model);
  }

  #restore(record: RolloutRecord): void {
    const entries: { atMs: number; entry: LogEntry }[] = [];
    for (let after = 0; ; ) {
      const page = this.#ports.store.decisions(record.id, after, LOG_PAGE);
      for (const { atMs, body } of page) entries.push({ atMs, entry: JSON.parse(body) as LogEntry });
      const last = page.at(-1);
      if (last === undefined || page.length < LOG_PAGE) break;
      after = last.sequence;
    }
    const run = new RolloutRun(this.#ports, this.#books, entries);
    this.#runs.set(record.model, run);
    const { state } = run.course.standing;
    this.#ports.log.info('rollout goes on', { rollout: record.id, state, lines: entries.length });
  }

  #write({ status, decisions, release }: WrittenRun, anyway: boolean): boolean {
    const { plan, ...progress } = status;
    const { id, model, state, updatedMs } = status;
    const changed = !sameRelease(this.#releases.get(model), release);
    const feedback = this.#ports.labels?.changeWith(id);
    let kept = true;
    try {
      this.#ports.store.commit({
        rollout: { id, model, state, plan: JSON.stringify(plan), progress: JSON.stringify(progress), updatedMs },
        decisions,
        ...(changed ? { release: { model, release } } : {}),
        ...(feedback === undefined ? {} : { feedback }),
      });
      this.#ports.labels?.keptWith(id);
    } catch (error) {
      kept = false;
      this.#ports.log.debug('commit of a rollout failed', { rollout: id, error });
    }
    if (changed && (kept || anyway)) this.#putInForce(model, release);
    return kept;
  }

  #putInForce(model: string, release: ModelRelease | undefined): void {
    if (release === undefined) this.#releases.delete(model);
    else this.#releases.set(model, release);
    this.#ports.traffic.changed(model);
  }

  #running(id: string): RolloutRun | undefined {
    for (const run of this.#runs.values()) if (run.course.id === id || run.course.plan.model === id) return run;
    return undefined;
  }

  #record(id: string): RolloutRecord {
    const records = this.#ports.store.rollouts();
    const found =
      records.find((record) => record.id === id) ??
      records.filter(({ model }) => model === id).reduce<RolloutRecord | undefined>(later, undefined);
    if (found !== undefined) return found;
    const known = records.flatMap(({ id: other, model }) => [other, model]);
    throw new ServingError('MODEL_NOT_FOUND', `no rollout '${id}'${didYouMean(id, known)}`);
  }

  #statusOf({ id, plan, progress }: RolloutRecord): RolloutStatus {
    for (const run of this.#runs.values()) if (run.course.id === id) return run.status();
    return { ...(JSON.parse(progress) as Omit<RolloutStatus, 'plan'>), plan: JSON.parse(plan) as object };
  }

  #newId(model: string, candidate: number): string {
    const taken = new Set(this.#ports.store.rollouts().map(({ id }) => id));
    const name = `${model}-v${candidate}`;
    if (!taken.has(name)) return name;
    for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`;
  }
}

function later(best: RolloutRecord | undefined, next: RolloutRecord): RolloutRecord {
  return best === undefined || next.updatedMs >= best.updatedMs ? next : best;
}

function sameRelease(a: ModelRelease | undefined, b: ModelRelease | undefined): boolean {
  return a?.defaultVersion === b?.defaultVersion && a?.split?.number === b?.split?.number;
}

function summaryOf(status: RolloutStatus): RolloutSummary {
  const { id, model, candidate, baseline, state, step, steps, why, startedMs, updatedMs } = status;
  return { id, model, candidate, baseline, state, step, steps, why, startedMs, updatedMs };
}
