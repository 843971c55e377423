import type { Letter } from '../core/index.js';
import type { Database } from './database.js';

/** The rows behind `LetterStore`. Who writes bounds them: a webhook has a limit of letters that wait. */
export class LetterTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add({ webhook, id, body }: Letter): void {
    this.#database.run('INSERT OR IGNORE INTO letter (webhook, id, body) VALUES (?, ?, ?)', webhook, id, body);
  }

  remove(webhook: string, id: string): void {
    this.#database.run('DELETE FROM letter WHERE webhook = ? AND id = ?', webhook, id);
  }

  all(): readonly Letter[] {
    return this.#database.rows<Letter>('SELECT webhook, id, body FROM letter ORDER BY sequence');
  }
}
