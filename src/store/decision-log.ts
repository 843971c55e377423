import type { DecisionEntry, ReleaseChange } from '../core/index.js';
import type { Database } from './database.js';

/** Entries of this kind are what a rollout writes all the time: they alone are given up, and they need not be synced by themselves. */
const OBSERVATION = 'observed';

export interface DecisionLimits {
  /** Observations kept of one rollout; at one a second 250,000 are 69 hours. */
  readonly observations: number;
  /** So many more are let in before the oldest go, all at once. */
  readonly slack: number;
}

type Row = DecisionEntry & { readonly sequence: number };

/**
 * What was seen and decided in rollouts, in order. Of the observations of a rollout the newest are kept; in the place of the
 * last one that went stands an entry of kind `pruned`, whose body says how many went: `{"kind": "pruned", "observations": 1000}`.
 */
export class DecisionLog {
  readonly #database: Database;
  readonly #limits: DecisionLimits;
  /** Observations kept, by rollout; counted once a run. */
  readonly #kept = new Map<string, number>();

  constructor(database: Database, limits: DecisionLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /** Within the transaction of its caller; `rolledBack` where that fails. */
  add({ rollout, atMs, kind, body }: DecisionEntry): void {
    this.#database.run(
      'INSERT INTO decision (rollout, at_ms, kind, body) VALUES (?, ?, ?, ?)',
      rollout,
      atMs,
      kind,
      body,
    );
    if (kind !== OBSERVATION) return;
    const kept = (this.#kept.get(rollout) ?? this.#count(rollout) - 1) + 1;
    this.#kept.set(rollout, kept);
    if (kept >= this.#limits.observations + this.#limits.slack) this.#prune(rollout, kept - this.#limits.observations);
  }

  /** Whether a change must outlive a loss of power when it returns: all but what was merely seen. */
  static weighty({ decisions, release, routes }: ReleaseChange): boolean {
    const seen = decisions !== undefined && decisions.length > 0 && decisions.every(({ kind }) => kind === OBSERVATION);
    return !seen || release !== undefined || routes !== undefined;
  }

  /** What was counted may not be so. */
  rolledBack(): void {
    this.#kept.clear();
  }

  entries(rollout: string, after: number, most: number): readonly Row[] {
    return this.#database.rows<Row>(
      `SELECT sequence, rollout, at_ms AS atMs, kind, body FROM decision
       WHERE rollout = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
      rollout,
      after,
      most,
    );
  }

  #count(rollout: string): number {
    const row = this.#database.row<{ count: number }>(
      'SELECT count(*) AS count FROM decision WHERE rollout = ? AND kind = ?',
      rollout,
      OBSERVATION,
    );
    return row?.count ?? 0;
  }

  #prune(rollout: string, excess: number): void {
    const last = this.#database.row<{ sequence: number }>(
      'SELECT sequence FROM decision WHERE rollout = ? AND kind = ? ORDER BY sequence LIMIT 1 OFFSET ?',
      rollout,
      OBSERVATION,
      excess - 1,
    );
    if (last === undefined) return;
    const before = this.#database.row<{ sequence: number; body: string }>(
      "SELECT sequence, body FROM decision WHERE rollout = ? AND kind = 'pruned'",
      rollout,
    );
    const earlier = before === undefined ? 0 : (JSON.parse(before.body) as { observations: number }).observations;
    this.#database.run(
      "UPDATE decision SET kind = 'pruned', body = ? WHERE sequence = ?",
      JSON.stringify({ kind: 'pruned', observations: earlier + excess }),
      last.sequence,
    );
    this.#database.run(
      'DELETE FROM decision WHERE rollout = ? AND kind = ? AND sequence < ?',
      rollout,
      OBSERVATION,
      last.sequence,
    );
    if (before !== undefined) this.#database.run('DELETE FROM decision WHERE sequence = ?', before.sequence);
    this.#kept.set(rollout, this.#limits.observations);
  }
}
