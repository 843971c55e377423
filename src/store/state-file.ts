import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ServingError } from '../core/index.js';
import { Database, sqliteCode } from './database.js';
import { APPLICATION_ID, migrate } from './schema.js';

/** A database in memory, with our tables. */
export function memoryDatabase(): Database {
  const database = new Database(':memory:');
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  migrate(database);
  return database;
}

/**
 * Writes what a database holds to a new file: whole when it has its name, so that a file of that name is never one that was
 * begun and not finished. Throws INTERNAL.
 */
export function writeStateFile(content: Database, path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeWhole(content, path);
    sync(dirname(path));
  } catch (thrown) {
    throw new ServingError(
      'INTERNAL',
      `${path} cannot be made (${(thrown as Error).message}): make its folder writable for this user, or name another with --state-dir (off: state is kept in memory only)`,
      { cause: thrown },
    );
  }
}

function writeWhole(content: Database, path: string): void {
  const begun = `${path}.${process.pid}.new`;
  rmSync(begun, { force: true });
  try {
    // Made first by us, since what SQLite makes is readable for others.
    closeSync(openSync(begun, 'wx', 0o600));
    content.exec(`VACUUM INTO '${begun.replaceAll("'", "''")}'`);
    sync(begun);
    placeUnlessThere(begun, path);
  } finally {
    rmSync(begun, { force: true });
  }
}

/** Never over a file that another process has made meanwhile: who opens it next is told. */
function placeUnlessThere(begun: string, path: string): void {
  try {
    linkSync(begun, path);
  } catch (thrown) {
    if (existsSync(path)) return;
    // A file system without links.
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') throw thrown;
    renameSync(begun, path);
  }
}

/**
 * Opens a file that exists, for this process alone: the lock is the system's and ends with the process, however it ends.
 * Throws CONFLICT where another process has it, UNSUPPORTED where it is none of ours or a later one, INTERNAL where it is damaged: it is never replaced.
 */
export function openStateFile(path: string): Database {
  let database: Database | undefined;
  try {
    database = new Database(path);
    // Before anything is read: with it, WAL needs no memory shared between processes, and the first read takes the lock.
    database.pragma('locking_mode = EXCLUSIVE');
    const id = Number(database.pragma('application_id'));
    if (id !== APPLICATION_ID) throw foreign(path);
    const fault = String(database.pragma('quick_check(1)'));
    if (fault !== 'ok') throw damaged(path, fault);
    // Not before: it writes to the file. It takes the lock of a writer too.
    database.pragma('journal_mode = WAL');
    migrate(database);
    return database;
  } catch (thrown) {
    database?.abandon();
    throw openFault(path, thrown);
  }
}

function openFault(path: string, thrown: unknown): ServingError {
  if (thrown instanceof ServingError) return thrown;
  const code = sqliteCode(thrown);
  if (code?.startsWith('SQLITE_BUSY')) {
    return new ServingError(
      'CONFLICT',
      `${path} is in use by another gateway: stop that one, or give this one a folder of its own with --state-dir (or --state-dir off)`,
    );
  }
  if (code === 'SQLITE_NOTADB') return foreign(path);
  if (code?.startsWith('SQLITE_CORRUPT')) return damaged(path, (thrown as Error).message);
  return new ServingError(
    'INTERNAL',
    `${path} cannot be opened (${(thrown as Error).message}): make it readable and writable for this user, or give another folder with --state-dir`,
    {
      cause: thrown,
    },
  );
}

const START_AGAIN =
  'bring it back from a copy, or move it away together with its -wal file to start without the rollouts, routes and audit that it holds';

function damaged(path: string, fault: string): ServingError {
  return new ServingError('INTERNAL', `${path} is damaged (${fault}): ${START_AGAIN}`);
}

function foreign(path: string): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    `${path} is not a state file of Penstock, or its head is damaged: ${START_AGAIN}`,
  );
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
