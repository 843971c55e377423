import { createRequire } from 'node:module';
import type Libsql from 'libsql';
import { ServingError } from '../core/index.js';

export type Statement = Libsql.Statement<unknown[]>;

/** One connection to SQLite. */
export class Database {
  readonly #connection: Libsql.Database;
  readonly #statements = new Map<string, Statement>();
  #synced: boolean | undefined;

  /** Opens a file, which must exist, or memory. Loads the library at the first call: some 20 ms and 6 MB. Throws the library's errors. */
  constructor(path: string | ':memory:') {
    const load = createRequire(import.meta.url);
    const Connection = load('libsql') as typeof Libsql;
    this.#connection = new Connection(path, { fileMustExist: path !== ':memory:', timeout: 0 });
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  /** The value of a pragma; undefined where it answers nothing. */
  pragma(text: string): unknown {
    const [row] = this.#connection.pragma(text) as Record<string, unknown>[];
    return row === undefined ? undefined : Object.values(row)[0];
  }

  run(sql: string, ...values: readonly unknown[]): number {
    return Number(this.#prepared(sql).run(...values).lastInsertRowid);
  }

  rows<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    return this.#prepared(sql).all(...values) as Row[];
  }

  row<Row>(sql: string, ...values: readonly unknown[]): Row | undefined {
    return this.rows<Row>(sql, ...values)[0];
  }

  /**
   * All of it or, where it throws, nothing. It outlives the process when it returns and, where it is `synced`, a loss of power
   * too, with all that was written before it; else that comes with the next one that is.
   */
  transaction<T>(work: () => T, synced = true): T {
    if (synced !== this.#synced) {
      this.pragma(`synchronous = ${synced ? 'FULL' : 'NORMAL'}`);
      this.#synced = synced;
    }
    this.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      this.exec('COMMIT');
      return value;
    } catch (thrown) {
      if (this.#connection.inTransaction) this.exec('ROLLBACK');
      throw thrown;
    }
  }

  /**
   * Leaves one file, without a log beside it. Its lock is given up first: the library closes the file only when the
   * statements are collected.
   */
  close(): void {
    try {
      this.pragma('journal_mode = DELETE');
      this.pragma('locking_mode = NORMAL');
      this.pragma('user_version');
    } finally {
      this.#statements.clear();
      this.#connection.close();
    }
  }

  /** Closes a file that is not ours to change. */
  abandon(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** What a failure of the library means to a caller of the gateway: nothing was written. Our own errors pass. */
export function storeFault(thrown: unknown): ServingError {
  if (thrown instanceof ServingError) return thrown;
  return new ServingError(
    'INTERNAL',
    'the state could not be written, nothing was changed; the log of the server has the cause',
    {
      cause: thrown,
    },
  );
}

/** SQLite's name of an error, `SQLITE_FULL`; undefined where it is none of the library's. */
export function sqliteCode(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: unknown };
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}
