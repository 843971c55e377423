import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type StoredRow, writeCaptureFile } from './capture-file.js';
import { type CapturedRow, type CapturedTensor, ROW_BYTES } from './captured-row.js';

export interface CaptureWriterOptions {
  readonly folder: string;
  /** A file is written when it has so many bytes, before compression, or its first row is so old. */
  readonly fileBytes: number;
  readonly fileMs: number;
  /** Of all capture files in the folder; the oldest go. */
  readonly maxBytes: number;
  readonly nowMs: () => number;
  /** Calls once after so many milliseconds, and gives what forgets it. */
  readonly after: (ms: number, fire: () => void) => () => void;
  readonly told: (news: WriterNews) => void;
}

/** What the thread that writes tells: rows that lie in a file, or that were lost and why. */
export type WriterNews =
  | { readonly kind: 'written'; readonly rows: number; readonly bytes: number }
  | { readonly kind: 'lost'; readonly rows: number; readonly why: string };

const NAME = /^capture-\d{8}T\d{9}Z-\d+-\d+\.parquet$/;

/** Gathers rows and writes them file by file, one at a time. What comes while one is written is gathered for the next. */
export class CaptureWriter {
  readonly #options: CaptureWriterOptions;
  /** Of this process: nothing tells two values of one run apart, and nobody can try values out afterwards. */
  readonly #key = randomBytes(32);
  #rows: StoredRow[] = [];
  #bytes = 0;
  #files = 0;
  #forgetTimer: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: CaptureWriterOptions) {
    this.#options = options;
  }

  add(row: CapturedRow): void {
    const { fileBytes, fileMs, after } = this.#options;
    this.#rows.push(this.#stored(row));
    this.#bytes += row.data.byteLength + ROW_BYTES;
    if (this.#bytes >= fileBytes) void this.flush();
    else this.#forgetTimer ??= after(fileMs, () => void this.flush());
  }

  /** Writes what is gathered; resolves when it lies in a file, or is lost. Never rejects. */
  flush(): Promise<void> {
    this.#forgetTimer?.();
    this.#forgetTimer = undefined;
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    if (rows.length > 0) this.#writing = this.#writing.then(() => this.#write(rows));
    return this.#writing;
  }

  async #write(rows: readonly StoredRow[]): Promise<void> {
    const { folder, nowMs, told } = this.#options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const time = new Date(nowMs()).toISOString().replaceAll(/[-:.]/g, '');
      const bytes = await writeCaptureFile(folder, `capture-${time}-${process.pid}-${this.#files++}.parquet`, rows);
      told({ kind: 'written', rows: rows.length, bytes });
      await this.#prune();
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      told({ kind: 'lost', rows: rows.length, why: code ?? message });
    }
  }

  async #prune(): Promise<void> {
    const { folder, maxBytes } = this.#options;
    const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    let all = sizes.reduce((sum, size) => sum + size, 0);
    for (const [i, name] of names.entries()) {
      if (all <= maxBytes) return;
      await rm(join(folder, name), { force: true });
      all -= sizes[i] as number;
    }
  }

  #stored({ data, hashTenant, ...row }: CapturedRow): StoredRow {
    const inputs = this.#hashed(row.inputs, new Uint8Array(data));
    const inputBytes = row.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    const tenant = hashTenant && row.tenant !== '' ? this.#hash(Buffer.from(row.tenant)) : row.tenant;
    return {
      ...row,
      tenant,
      inputs: inputs.tensors,
      inputData: inputs.data,
      outputData: new Uint8Array(data, inputBytes),
    };
  }

  #hashed(
    tensors: readonly CapturedTensor[],
    data: Uint8Array,
  ): { readonly tensors: readonly CapturedTensor[]; readonly data: Uint8Array } {
    const parts: Uint8Array[] = [];
    let at = 0;
    const described = tensors.map((tensor) => {
      const part = data.subarray(at, at + tensor.bytes);
      at += tensor.bytes;
      if (tensor.redacted !== 'hash') {
        parts.push(part);
        return tensor;
      }
      return { ...tensor, bytes: 0, redacted: this.#hash(part) };
    });
    const whole = described.every((tensor, i) => tensor.bytes === tensors[i]?.bytes);
    return { tensors: described, data: whole ? data.subarray(0, at) : Buffer.concat(parts) };
  }

  #hash(bytes: Uint8Array): string {
    return `hmac-sha256:${createHmac('sha256', this.#key).update(bytes).digest('hex')}`;
  }
}
