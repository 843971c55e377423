import { ServingError } from '../core/index.js';
import { COST_TABLES } from './cost-schema.js';
import type { Database } from './database.js';

/** In the head of every file of ours ("PNST"): what has another one was not written by Penstock. */
export const APPLICATION_ID = 0x504e5354;

/**
 * The steps from nothing to the tables of today; `user_version` counts those that were taken. A step that was released is
 * never changed, only followed by another.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE rollout (
     id TEXT PRIMARY KEY, model TEXT NOT NULL, state TEXT NOT NULL, plan TEXT NOT NULL, progress TEXT NOT NULL,
     updated_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE decision (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
     body TEXT NOT NULL
   ) STRICT;
   CREATE INDEX decision_of_rollout ON decision (rollout, sequence, kind);
   CREATE TABLE release (model TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
   CREATE TABLE routes (model TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
   INSERT INTO counter VALUES ('split', 0);`,
  `CREATE TABLE audit (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, who TEXT NOT NULL, caller TEXT NOT NULL,
     call TEXT NOT NULL, target TEXT NOT NULL, outcome TEXT NOT NULL, omitted INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE feedback_bunch (
     sequence INTEGER PRIMARY KEY, last_prediction INTEGER NOT NULL, last_early INTEGER NOT NULL, body TEXT NOT NULL
   ) STRICT;
   CREATE TABLE label_sums (
     split INTEGER NOT NULL, metric TEXT NOT NULL, around_ms REAL NOT NULL, version INTEGER NOT NULL,
     labels INTEGER NOT NULL, wrong INTEGER NOT NULL, sum REAL NOT NULL, sum_of_squares REAL NOT NULL,
     PRIMARY KEY (split, metric, around_ms, version)
   ) STRICT, WITHOUT ROWID;`,
  COST_TABLES,
  `CREATE TABLE letter (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
     UNIQUE (webhook, id)
   ) STRICT;`,
];

/** Takes the steps that a database lacks, each whole or not at all. Throws UNSUPPORTED where it knows more than we do. */
export function migrate(database: Database, steps: readonly string[] = MIGRATIONS): void {
  const taken = Number(database.pragma('user_version'));
  if (taken > steps.length) {
    throw new ServingError(
      'UNSUPPORTED',
      `the state was written by a later Penstock (schema ${taken}, this one knows ${steps.length}): run that, or give this one another folder with --state-dir`,
    );
  }
  for (let step = taken; step < steps.length; step++) {
    database.transaction(() => {
      database.exec(steps[step]!);
      database.exec(`PRAGMA user_version = ${step + 1}`);
    });
  }
}
