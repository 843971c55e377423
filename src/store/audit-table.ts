import type { AuditEntry, AuditOutcome } from '../core/index.js';
import type { Database } from './database.js';

type Row = AuditEntry & { readonly sequence: number };

/** The rows behind `AuditTrail`; the newest `most` are kept. */
export class AuditTable {
  readonly #database: Database;
  readonly #most: number;

  constructor(database: Database, most: number) {
    this.#database = database;
    this.#most = most;
  }

  add({ atMs, who, from, call, target, outcome, omitted }: AuditEntry): number {
    const sequence = this.#database.run(
      'INSERT INTO audit (at_ms, who, caller, call, target, outcome, omitted) VALUES (?, ?, ?, ?, ?, ?, ?)',
      atMs,
      who,
      from,
      call,
      target,
      outcome,
      omitted,
    );
    this.#database.run('DELETE FROM audit WHERE sequence <= ?', sequence - this.#most);
    return sequence;
  }

  settle(sequence: number, outcome: AuditOutcome): void {
    this.#database.run('UPDATE audit SET outcome = ? WHERE sequence = ?', outcome, sequence);
  }

  entries(before: number, most: number): readonly Row[] {
    return this.#database.rows<Row>(
      `SELECT sequence, at_ms AS atMs, who, caller AS "from", call, target, outcome, omitted FROM audit
       WHERE sequence < ? ORDER BY sequence DESC LIMIT ?`,
      before,
      most,
    );
  }
}
