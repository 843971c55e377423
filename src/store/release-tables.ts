import type { ModelRelease, ReleaseChange, RolloutRecord } from '../core/index.js';
import type { Database } from './database.js';
import { type DecisionLimits, DecisionLog } from './decision-log.js';

export interface ReleaseLimits extends DecisionLimits {
  /** Rollouts kept; those that changed longest ago go first with their logs, never one that a release names. */
  readonly rollouts: number;
}

/** The rows behind `ReleaseStore`. Writes belong into a transaction of the caller's. */
export class ReleaseTables {
  readonly decisions: DecisionLog;
  readonly #database: Database;
  readonly #limits: ReleaseLimits;

  constructor(database: Database, limits: ReleaseLimits) {
    this.#database = database;
    this.#limits = limits;
    this.decisions = new DecisionLog(database, limits);
  }

  write({ rollout, decisions, release, routes }: ReleaseChange): void {
    if (rollout !== undefined) this.#writeRollout(rollout);
    for (const entry of decisions ?? []) this.decisions.add(entry);
    if (release !== undefined)
      this.#put('release', release.model, release.release === undefined ? undefined : JSON.stringify(release.release));
    if (routes !== undefined) this.#put('routes', routes.model, routes.document);
  }

  rollouts(): readonly RolloutRecord[] {
    return this.#database.rows<RolloutRecord>(
      'SELECT id, model, state, plan, progress, updated_ms AS updatedMs FROM rollout ORDER BY updated_ms, id',
    );
  }

  releases(): ReadonlyMap<string, ModelRelease> {
    return new Map([...this.#documents('release')].map(([model, text]) => [model, JSON.parse(text) as ModelRelease]));
  }

  routes(): ReadonlyMap<string, string> {
    return this.#documents('routes');
  }

  nextSplitNumber(): number {
    const row = this.#database.row<{ value: number }>(
      "UPDATE counter SET value = value + 1 WHERE name = 'split' RETURNING value",
    );
    if (row === undefined) throw new Error('the counter of splits is missing');
    return row.value;
  }

  #writeRollout({ id, model, state, plan, progress, updatedMs }: RolloutRecord): void {
    const known = this.#database.row('SELECT 1 FROM rollout WHERE id = ?', id) !== undefined;
    this.#database.run(
      `INSERT INTO rollout (id, model, state, plan, progress, updated_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET model = excluded.model, state = excluded.state, plan = excluded.plan,
         progress = excluded.progress, updated_ms = excluded.updated_ms`,
      id,
      model,
      state,
      plan,
      progress,
      updatedMs,
    );
    if (!known) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const count = this.#database.row<{ count: number }>('SELECT count(*) AS count FROM rollout')?.count ?? 0;
    if (count <= this.#limits.rollouts) return;
    const live = new Set([...this.releases().values()].map(({ split }) => split?.rollout));
    const oldest = this.rollouts().find(({ id }, index) => !live.has(id) && index < count - 1);
    if (oldest === undefined) return;
    this.#database.run('DELETE FROM decision WHERE rollout = ?', oldest.id);
    this.#database.run('DELETE FROM rollout WHERE id = ?', oldest.id);
  }

  #put(table: 'release' | 'routes', model: string, document: string | undefined): void {
    if (document === undefined) this.#database.run(`DELETE FROM ${table} WHERE model = ?`, model);
    else {
      this.#database.run(
        `INSERT INTO ${table} (model, document) VALUES (?, ?) ON CONFLICT (model) DO UPDATE SET document = excluded.document`,
        model,
        document,
      );
    }
  }

  #documents(table: 'release' | 'routes'): ReadonlyMap<string, string> {
    const rows = this.#database.rows<{ model: string; document: string }>(
      `SELECT model, document FROM ${table} ORDER BY model`,
    );
    return new Map(rows.map(({ model, document }) => [model, document]));
  }
}
