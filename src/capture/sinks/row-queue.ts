import { rowBytes, type StoredRow } from '../captured-row.js';
import type { SinkReport } from './sink.js';

/** Rows that wait for their sink, in order, at most so many bytes of them; those under way count until they are settled. */
export class RowQueue {
  readonly #maxBytes: number;
  readonly #report: SinkReport;
  #rows: StoredRow[] = [];
  #first = 0;
  #bytes = 0;

  constructor(maxBytes: number, report: SinkReport) {
    this.#maxBytes = maxBytes;
    this.#report = report;
  }

  /** Rows that nobody took. */
  get waiting(): number {
    return this.#rows.length - this.#first;
  }

  /** False where it is full: the row is dropped, and reported. */
  add(row: StoredRow): boolean {
    const bytes = rowBytes(row);
    if (this.#bytes + bytes > this.#maxBytes) {
      this.#report.dropped(1, 'queue_full');
      return false;
    }
    this.#rows.push(row);
    this.#changed(bytes);
    return true;
  }

  /** The next rows, at most so many and (but for the first) so many bytes; they count until `settled`. */
  take(mostRows: number, mostBytes: number): StoredRow[] {
    const taken: StoredRow[] = [];
    let bytes = 0;
    while (taken.length < mostRows && this.waiting > 0) {
      const row = this.#rows[this.#first] as StoredRow;
      bytes += rowBytes(row);
      if (taken.length > 0 && bytes > mostBytes) break;
      taken.push(row);
      this.#first++;
    }
    if (this.#first > 64 && this.#first * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }

  /** Rows that were taken are delivered or given up. */
  settled(rows: readonly StoredRow[]): void {
    this.#changed(-rows.reduce((sum, row) => sum + rowBytes(row), 0));
  }

  #changed(bytes: number): void {
    this.#bytes += bytes;
    this.#report.queued(this.#bytes);
  }
}
