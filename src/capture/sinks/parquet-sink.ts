import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCaptureFile } from '../capture-file.js';
import { rowBytes, type StoredRow } from '../captured-row.js';
import { RowQueue } from './row-queue.js';
import { type Sink, type SinkReport, type SinkTime, timeLimit } from './sink.js';

export interface ParquetSettings {
  readonly kind: 'parquet';
  readonly name: string;
  readonly folder: string;
  /** What the names of its files begin with; letters only. */
  readonly prefix: string;
  /** A file is written when it has so many bytes, before compression, or its first row is so old. */
  readonly fileBytes: number;
  readonly fileMs: number;
  /** Of all its files in the folder, by any process; the oldest go. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly keepMs: number;
  /** Of rows that are gathered or being written. */
  readonly maxQueueBytes: number;
}

/** A file that was begun and never finished, of a process that was killed, is removed when it is so old. */
const ABANDONED_MS = 3_600_000;

/** Gathers rows and writes them file by file, one at a time. What comes while one is written is gathered for the next. */
export class ParquetSink implements Sink {
  readonly #settings: ParquetSettings;
  readonly #time: SinkTime;
  readonly #report: SinkReport;
  readonly #queue: RowQueue;
  /** Of the rows that are gathered for the next file. */
  #bytes = 0;
  #files = 0;
  #forgetTimer: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(settings: ParquetSettings, time: SinkTime, report: SinkReport) {
    this.#settings = settings;
    this.#time = time;
    this.#report = report;
    this.#queue = new RowQueue(settings.maxQueueBytes, report);
  }

  add(row: StoredRow): void {
    if (!this.#queue.add(row)) return;
    const { fileBytes, fileMs } = this.#settings;
    this.#bytes += rowBytes(row);
    if (this.#bytes >= fileBytes) void this.flush();
    else this.#forgetTimer ??= this.#time.after(fileMs, () => void this.flush());
  }

  /** Writes what is gathered; resolves when it lies in a file, or is lost. Never rejects. */
  flush(): Promise<void> {
    this.#forgetTimer?.();
    this.#forgetTimer = undefined;
    this.#bytes = 0;
    const rows = this.#queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    if (rows.length > 0) this.#writing = this.#writing.then(() => this.#write(rows));
    return this.#writing;
  }

  async close(limitMs: number): Promise<void> {
    const { late, forget } = timeLimit(this.#time, limitMs);
    await Promise.race([this.flush(), late]);
    forget();
  }

  async #write(rows: readonly StoredRow[]): Promise<void> {
    const { folder, prefix } = this.#settings;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const time = new Date(this.#time.nowMs()).toISOString().replaceAll(/[-:.]/g, '');
      const bytes = await writeCaptureFile(folder, `${prefix}-${time}-${process.pid}-${this.#files++}.parquet`, rows);
      this.#report.delivered(rows.length, bytes);
      this.#report.fileWritten();
      await this.#prune();
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      this.#report.dropped(rows.length, 'failed', code ?? message);
    } finally {
      this.#queue.settled(rows);
    }
  }

  async #prune(): Promise<void> {
    const { folder, prefix, maxBytes, maxFiles, keepMs } = this.#settings;
    const nowMs = this.#time.nowMs();
    const pattern = new RegExp(`^(\\.?)${prefix}-\\d{8}T\\d{9}Z-\\d+-\\d+\\.parquet(\\.part)?$`);
    const names = (await readdir(folder)).filter((name) => pattern.test(name)).sort();
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, ageMs: nowMs - mtimeMs };
      }),
    );
    const whole = files.filter(({ path }) => !path.endsWith('.part'));
    for (const { path, ageMs } of files)
      if (path.endsWith('.part') && ageMs > ABANDONED_MS) await rm(path, { force: true });
    let bytes = whole.reduce((sum, { size }) => sum + size, 0);
    for (const [i, { path, size, ageMs }] of whole.entries()) {
      if (bytes <= maxBytes && whole.length - i <= maxFiles && ageMs <= keepMs) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}
