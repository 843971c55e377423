import type { FeedbackBunch, FeedbackChange, LabelSums } from '../core/index.js';
import type { Database } from './database.js';

/** Bunches looked at for what may go, with each change: more than come with it, so that those that are over do go. */
const LOOKED_AT = 64;

/** The rows behind `FeedbackStore`. Writes belong into a transaction of the caller's. */
export class FeedbackTables {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  write({ bunchesAnew, sumsAnew, bunch, sums, firstPrediction, firstEarly }: FeedbackChange): void {
    if (bunchesAnew) this.#database.run('DELETE FROM feedback_bunch');
    else this.#forget(firstPrediction, firstEarly);
    if (bunch !== undefined) {
      this.#database.run(
        'INSERT INTO feedback_bunch (last_prediction, last_early, body) VALUES (?, ?, ?)',
        bunch.lastPrediction,
        bunch.lastEarly,
        bunch.body,
      );
    }
    if (sumsAnew) this.#database.run('DELETE FROM label_sums');
    for (const one of sums) this.#put(one);
  }

  bunches(after: number, most: number): readonly (FeedbackBunch & { readonly sequence: number })[] {
    return this.#database.rows(
      `SELECT sequence, last_prediction AS lastPrediction, last_early AS lastEarly, body FROM feedback_bunch
       WHERE sequence > ? ORDER BY sequence LIMIT ?`,
      after,
      most,
    );
  }

  sums(): readonly LabelSums[] {
    return this.#database.rows(
      `SELECT split, metric, around_ms AS aroundMs, version, labels, wrong, sum, sum_of_squares AS sumOfSquares
       FROM label_sums ORDER BY split, metric, around_ms, version`,
    );
  }

  #forget(firstPrediction: number, firstEarly: number): void {
    this.#database.run(
      `DELETE FROM feedback_bunch WHERE sequence IN (
         SELECT sequence FROM
           (SELECT sequence, last_prediction, last_early FROM feedback_bunch ORDER BY sequence LIMIT ${LOOKED_AT})
         WHERE last_prediction < ? AND last_early < ?)`,
      firstPrediction,
      firstEarly,
    );
  }

  #put({ split, metric, aroundMs, version, labels, wrong, sum, sumOfSquares }: LabelSums): void {
    if (labels === 0) {
      this.#database.run(
        'DELETE FROM label_sums WHERE split = ? AND metric = ? AND around_ms = ? AND version = ?',
        split,
        metric,
        aroundMs,
        version,
      );
      return;
    }
    this.#database.run(
      `INSERT INTO label_sums (split, metric, around_ms, version, labels, wrong, sum, sum_of_squares)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET labels = excluded.labels, wrong = excluded.wrong, sum = excluded.sum,
         sum_of_squares = excluded.sum_of_squares`,
      split,
      metric,
      aroundMs,
      version,
      labels,
      wrong,
      sum,
      sumOfSquares,
    );
  }
}
