import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import type { ColumnSource } from 'hyparquet-writer';
import { ServingError } from '../core/index.js';
import type { CapturedRow, CapturedTensor, StoredRow } from './captured-row.js';

/** Rows of a row group: what a reader holds at once. */
const GROUP_ROWS = 1000;
const FORMAT = 'penstock.capture';
const FORMAT_VERSION = '1';

/**
 * Writes rows as one Parquet file (Snappy) and gives its bytes. It gets its name when it is whole: a reader never sees half of
 * one. Columns: `capture/README.md`.
 */
export async function writeCaptureFile(folder: string, name: string, rows: readonly StoredRow[]): Promise<number> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const file = Buffer.from(
    parquetWriteBuffer({
      columnData: columnsOf(rows),
      rowGroupSize: GROUP_ROWS,
      kvMetadata: [{ key: FORMAT, value: FORMAT_VERSION }],
      createdBy: 'penstock',
    }),
  );
  const whole = join(folder, name);
  const unfinished = join(folder, `.${name}.part`);
  try {
    const handle = await open(unfinished, 'wx', 0o600);
    try {
      await handle.writeFile(file);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, whole);
  } catch (thrown) {
    await rm(unfinished, { force: true });
    throw thrown;
  }
  return file.byteLength;
}

function columnsOf(rows: readonly StoredRow[]): ColumnSource[] {
  const column = (name: string, type: NonNullable<ColumnSource['type']>, of: (row: StoredRow) => unknown) => ({
    name,
    type,
    data: rows.map(of),
  });
  const whole = (value: number | undefined) => (value === undefined ? null : BigInt(value));
  return [
    column('time', 'TIMESTAMP', (row) => new Date(row.atMs)),
    column('model', 'STRING', (row) => row.model),
    column('requested_version', 'INT64', (row) => whole(row.requestedVersion)),
    column('version', 'INT64', (row) => whole(row.version)),
    column('id', 'STRING', (row) => row.id),
    column('tenant', 'STRING', (row) => row.tenant),
    column('parameters', 'JSON', (row) => row.parameters),
    column('asked_outputs', 'JSON', (row) => row.asked),
    column('latency_us', 'DOUBLE', (row) => row.latencyUs),
    column('error', 'STRING', (row) => row.error ?? null),
    column('route', 'STRING', (row) => row.route ?? null),
    column('sample_rate', 'DOUBLE', (row) => row.sampleRate),
    column('trace_id', 'STRING', (row) => row.traceparent?.slice(3, 35) ?? null),
    column('span_id', 'STRING', (row) => row.traceparent?.slice(36, 52) ?? null),
    column('headers', 'JSON', (row) => row.headers),
    column('batch_rows', 'INT64', (row) => whole(row.batchRows)),
    column('queue_us', 'DOUBLE', (row) => row.queueUs ?? null),
    column('compute_us', 'DOUBLE', (row) => row.computeUs ?? null),
    column('device_us', 'DOUBLE', (row) => row.deviceUs ?? null),
    column('cost', 'DOUBLE', (row) => row.cost ?? null),
    column('inputs', 'JSON', (row) => row.inputs),
    column('input_data', 'BYTE_ARRAY', (row) => row.inputData),
    column('outputs', 'JSON', (row) => row.outputs),
    column('output_data', 'BYTE_ARRAY', (row) => row.outputData),
  ];
}

interface RawRow {
  readonly time: Date;
  readonly model: string;
  readonly requested_version: bigint | null;
  readonly version: bigint | null;
  readonly id: string;
  readonly tenant: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly asked_outputs: CapturedRow['asked'];
  readonly latency_us: number;
  readonly error: string | null;
  // Files of before have none of these.
  readonly route?: string | null;
  readonly sample_rate?: number;
  readonly trace_id?: string | null;
  readonly span_id?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly batch_rows?: bigint | null;
  readonly queue_us?: number | null;
  readonly compute_us?: number | null;
  readonly device_us?: number | null;
  readonly cost?: number | null;
  readonly inputs: readonly CapturedTensor[];
  readonly input_data: Uint8Array;
  readonly outputs: readonly CapturedTensor[];
  readonly output_data: Uint8Array;
}

/** Rows of a capture file in their order, a row group at a time. Throws MALFORMED_REQUEST for what is no such file. */
export async function* readCaptureFile(path: string): AsyncIterable<StoredRow> {
  // A gateway that captures nothing loads none of it.
  const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const handle = await opened(path);
  try {
    const { size } = await handle.stat();
    const file: AsyncBuffer = {
      byteLength: size,
      slice: async (start, end = size) => {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, start);
        if (bytesRead < bytes.byteLength) throw new Error(`the file is cut off at ${start + bytesRead}`);
        return bytes.buffer;
      },
    };
    let metadata: FileMetaData;
    try {
      metadata = await parquetMetadataAsync(file);
    } catch (cause) {
      throw new ServingError('MALFORMED_REQUEST', `${path}: not a Parquet file`, { cause });
    }
    const format = metadata.key_value_metadata?.find(({ key }) => key === FORMAT)?.value;
    if (format !== FORMAT_VERSION) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `${path}: not a capture of this program (${FORMAT} ${format ?? 'is missing'})`,
      );
    }
    const total = Number(metadata.num_rows);
    for (let rowStart = 0; rowStart < total; rowStart += GROUP_ROWS) {
      const rowEnd = Math.min(total, rowStart + GROUP_ROWS);
      const rows = (await parquetReadObjects({ file, metadata, rowStart, rowEnd, utf8: false })) as unknown as RawRow[];
      yield* rows.map(storedRow);
    }
  } finally {
    await handle.close();
  }
}

async function opened(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'r');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new ServingError('MALFORMED_REQUEST', `${path}: cannot be read (${code})`, { cause: thrown });
  }
}

function storedRow(row: RawRow): StoredRow {
  return {
    atMs: row.time.getTime(),
    model: row.model,
    requestedVersion: row.requested_version === null ? undefined : Number(row.requested_version),
    version: row.version === null ? undefined : Number(row.version),
    id: row.id,
    tenant: row.tenant,
    parameters: row.parameters,
    asked: row.asked_outputs,
    latencyUs: row.latency_us,
    error: row.error ?? undefined,
    route: row.route ?? undefined,
    sampleRate: row.sample_rate ?? 1,
    // Whether its spans were exported is not kept.
    traceparent: row.trace_id == null ? undefined : `00-${row.trace_id}-${row.span_id}-00`,
    headers: row.headers ?? {},
    batchRows: row.batch_rows == null ? undefined : Number(row.batch_rows),
    queueUs: row.queue_us ?? undefined,
    computeUs: row.compute_us ?? undefined,
    deviceUs: row.device_us ?? undefined,
    cost: row.cost ?? undefined,
    textBytes: 0,
    withRequest: true,
    withAnswer: true,
    inputs: row.inputs,
    inputData: row.input_data,
    outputs: row.outputs,
    outputData: row.output_data,
  };
}
